//! Selects the workflow to judge: the right one, unless `COURSE_FAULT` asks for another.
//! Think about mistakes of your own before you read on.

use testenv::fault;

const RIGHT: &str = include_str!("../../../.github/workflows/integration.yml");

const CARGO_CACHE: &str =
    "      - uses: Swatinem/rust-cache@6323deb102c322ba6fcbdcafc7e3dddab59af2b6 # v2.9.2\n";

/// Returns the workflow that `COURSE_FAULT` asks for.
pub(crate) fn selected() -> String {
    match edit() {
        Some((job, was, is)) => edited(job, was, is),
        None => other_right(),
    }
}

/// What is replaced once, behind the name of this job. An empty name is the head of the file.
fn edit() -> Option<(&'static str, &'static str, &'static str)> {
    starts().or_else(limits).or_else(pins).or_else(caches).or_else(hides).or_else(results)
}

fn starts() -> Option<(&'static str, &'static str, &'static str)> {
    if fault!("main-only") {
        return Some(("", "  push:\n", "  push:\n    branches: [main]\n"));
    }
    if fault!("not-for-docs") {
        return Some(("", "  pull_request:\n", "  pull_request:\n    paths-ignore: ['**.md']\n"));
    }
    if fault!("by-hand") {
        return Some(("", "  pull_request:\n", "  workflow_dispatch:\n"));
    }
    None
}

fn limits() -> Option<(&'static str, &'static str, &'static str)> {
    if fault!("no-limit") {
        return Some(("integration", "    timeout-minutes: 10\n", ""));
    }
    if fault!("limit-of-an-hour") {
        return Some(("course", "timeout-minutes: 10", "timeout-minutes: 60"));
    }
    if fault!("permissions-of-the-settings") {
        return Some(("", "permissions:\n  contents: read\n\n", ""));
    }
    if fault!("job-may-write") {
        let ours = "    runs-on: ubuntu-24.04\n";
        let wide = "    runs-on: ubuntu-24.04\n    permissions:\n      contents: read\n      pull-requests: write\n";
        return Some(("integration", ours, wide));
    }
    if fault!("write-all") {
        return Some(("", "permissions:\n  contents: read\n", "permissions: write-all\n"));
    }
    if fault!("credentials-kept") {
        let with = "        with:\n          persist-credentials: false\n";
        return Some(("stranger", with, ""));
    }
    None
}

fn pins() -> Option<(&'static str, &'static str, &'static str)> {
    if fault!("floating-tag") {
        let pinned = "actions/cache@27d5ce7f107fe9357f9df03efb73ab90386fccae # v5.0.5";
        return Some(("course", pinned, "actions/cache@v5.0.5"));
    }
    if fault!("branch") {
        return Some(("plain", "@6323deb102c322ba6fcbdcafc7e3dddab59af2b6", "@master"));
    }
    if fault!("short-commit") {
        return Some(("integration", "@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "@bbbca2d"));
    }
    if fault!("version-unsaid") {
        return Some(("lint", " # v7.0.1", ""));
    }
    None
}

fn caches() -> Option<(&'static str, &'static str, &'static str)> {
    if fault!("no-cargo-cache") {
        return Some(("course", CARGO_CACHE, ""));
    }
    if fault!("cargo-cache-too-late") {
        let test = "      - name: The plain tier\n        run: cargo test --workspace\n";
        let (was, is) = ([CARGO_CACHE, test].concat(), [test, CARGO_CACHE].concat());
        return Some(("plain", was.leak(), is.leak()));
    }
    if fault!("images-by-the-lock-file") {
        return Some((
            "integration",
            "hashFiles('shared/src/images.rs')",
            "hashFiles('Cargo.lock')",
        ));
    }
    if fault!("images-for-ever") {
        return Some(("course", "images-${{ hashFiles('shared/src/images.rs') }}", "images-v1"));
    }
    if fault!("images-by-every-source") {
        let wide = "hashFiles('shared/src/**')";
        return Some(("stranger", "hashFiles('shared/src/images.rs')", wide));
    }
    None
}

fn hides() -> Option<(&'static str, &'static str, &'static str)> {
    let plain = "        run: cargo test --workspace\n";
    if fault!("goes-on") {
        let goes_on = "        run: cargo test --workspace\n        continue-on-error: true\n";
        return Some(("plain", plain, goes_on));
    }
    if fault!("job-goes-on") {
        let ours = "    timeout-minutes: 10\n";
        return Some((
            "integration",
            ours,
            "    timeout-minutes: 10\n    continue-on-error: true\n",
        ));
    }
    if fault!("or-true") {
        return Some(("plain", plain, "        run: cargo test --workspace || true\n"));
    }
    if fault!("piped") {
        let shell =
            "defaults:\n  run:\n    shell: bash # with pipefail, which the default shell has not\n";
        return Some(("", shell, ""));
    }
    if fault!("tests-on-main") {
        let when = "        if: ${{ github.ref == 'refs/heads/main' }}\n        run: cargo test --workspace\n";
        return Some(("plain", plain, when));
    }
    if fault!("plain-twice") {
        return Some(("integration", " --features integration", ""));
    }
    if fault!("no-plain-tier") {
        let both = "        run: cargo test --workspace --features integration\n";
        return Some(("plain", plain, both));
    }
    None
}

fn results() -> Option<(&'static str, &'static str, &'static str)> {
    if fault!("kept-when-green") {
        let kept = "        if: ${{ !cancelled() }}\n        with:\n          name: report";
        return Some(("integration", kept, "        with:\n          name: report"));
    }
    if fault!("nothing-to-keep") {
        return Some(("integration", "if-no-files-found: error", "if-no-files-found: ignore"));
    }
    if fault!("page-not-kept") {
        return Some(("integration", "            target/report.html\n", ""));
    }
    if fault!("title-in-a-script") {
        let script = "        run: |\n          echo \"${{ github.event.pull_request.title }}\"\n          cargo test --workspace\n";
        return Some(("plain", "        run: cargo test --workspace\n", script));
    }
    None
}

fn edited(job: &str, was: &str, is: &str) -> String {
    let head = if job.is_empty() { "name:".to_owned() } else { format!("\n  {job}:\n") };
    let at = RIGHT.find(&head).unwrap_or_else(|| panic!("the workflow has no {job}"));
    let (before, after) = RIGHT.split_at(at);
    assert!(after.contains(was), "the workflow has no {was:?} in {job}");
    before.to_owned() + &after.replacen(was, is, 1)
}

/// The right workflow, or another one that is right, too.
fn other_right() -> String {
    let every = |was: &str, is: &str| {
        assert!(RIGHT.contains(was), "the workflow has no {was:?}");
        RIGHT.replace(was, is)
    };
    if fault!("list-of-triggers") {
        return every("on:\n  push:\n  pull_request:\n", "on: [pull_request, push]\n");
    }
    if fault!("five-minutes") {
        return every("timeout-minutes: 10", "timeout-minutes: 5");
    }
    if fault!("permissions-of-each-job") {
        return every("permissions:\n  contents: read\n", "permissions: {}\n").replace(
            "    runs-on: ubuntu-24.04\n",
            "    runs-on: ubuntu-24.04\n    permissions:\n      contents: read\n",
        );
    }
    if fault!("cache-by-hand") {
        let cache = "      - name: What cargo has built\n        uses: actions/cache@27d5ce7f107fe9357f9df03efb73ab90386fccae # v5.0.5\n        with:\n          path: |\n            ~/.cargo/registry\n            target\n          key: cargo-${{ runner.os }}-${{ hashFiles('Cargo.lock') }}\n";
        return every(CARGO_CACHE, cache);
    }
    if fault!("always") {
        return every("${{ !cancelled() }}", "always()");
    }
    if fault!("named-by-system") {
        return every("key: images-${{", "key: images-${{ runner.os }}-${{");
    }
    if fault!("piped-in-bash") {
        return every(
            "run: cargo test --workspace\n",
            "run: cargo test --workspace | tee test.log\n",
        );
    }
    if fault!("renamed") {
        let renamed = every("  plain:\n", "  quick:\n").replace("[lint, plain,", "[lint, quick,");
        return renamed.replace("The plain tier", "Quick tests");
    }
    RIGHT.to_owned()
}
