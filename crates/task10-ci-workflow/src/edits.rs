//! Selects the workflow to judge: the right one, unless `COURSE_FAULT` asks for another.
//! Think about mistakes of your own before you read on.

use testenv::by_fault;

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
    by_fault! {
        "main-only" => ("", "  push:\n", "  push:\n    branches: [main]\n"),
        "not-for-docs" => ("", "  pull_request:\n", "  pull_request:\n    paths-ignore: ['**.md']\n"),
        "by-hand" => ("", "  pull_request:\n", "  workflow_dispatch:\n"),
    }
}

fn limits() -> Option<(&'static str, &'static str, &'static str)> {
    by_fault! {
        "no-limit" => ("integration", "    timeout-minutes: 10\n", ""),
        "limit-of-an-hour" => ("course", "timeout-minutes: 10", "timeout-minutes: 60"),
        "permissions-of-the-settings" => ("", "permissions:\n  contents: read\n\n", ""),
        "job-may-write" => {
            let ours = "    runs-on: ubuntu-24.04\n";
            let wide = "    runs-on: ubuntu-24.04\n    permissions:\n      contents: read\n      pull-requests: write\n";
            ("integration", ours, wide)
        },
        "write-all" => ("", "permissions:\n  contents: read\n", "permissions: write-all\n"),
        "credentials-kept" => {
            let with = "        with:\n          persist-credentials: false\n";
            ("stranger", with, "")
        },
    }
}

fn pins() -> Option<(&'static str, &'static str, &'static str)> {
    by_fault! {
        "floating-tag" => {
            let pinned = "actions/cache@27d5ce7f107fe9357f9df03efb73ab90386fccae # v5.0.5";
            ("course", pinned, "actions/cache@v5.0.5")
        },
        "branch" => ("plain", "@6323deb102c322ba6fcbdcafc7e3dddab59af2b6", "@master"),
        "short-commit" => ("integration", "@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "@bbbca2d"),
        "version-unsaid" => ("lint", " # v7.0.1", ""),
    }
}

fn caches() -> Option<(&'static str, &'static str, &'static str)> {
    by_fault! {
        "no-cargo-cache" => ("course", CARGO_CACHE, ""),
        "cargo-cache-too-late" => {
            let test = "      - name: The plain tier\n        run: cargo test --workspace\n";
            let (was, is) = ([CARGO_CACHE, test].concat(), [test, CARGO_CACHE].concat());
            ("plain", was.leak(), is.leak())
        },
        "images-by-the-lock-file" => (
            "integration",
            "hashFiles('shared/src/images.rs')",
            "hashFiles('Cargo.lock')",
        ),
        "images-for-ever" => ("course", "images-${{ hashFiles('shared/src/images.rs') }}", "images-v1"),
        "images-by-every-source" => {
            let wide = "hashFiles('shared/src/**')";
            ("stranger", "hashFiles('shared/src/images.rs')", wide)
        },
    }
}

fn hides() -> Option<(&'static str, &'static str, &'static str)> {
    let plain = "        run: cargo test --workspace\n";
    by_fault! {
        "goes-on" => {
            let goes_on = "        run: cargo test --workspace\n        continue-on-error: true\n";
            ("plain", plain, goes_on)
        },
        "job-goes-on" => {
            let ours = "    timeout-minutes: 10\n";
            (
                "integration",
                ours,
                "    timeout-minutes: 10\n    continue-on-error: true\n",
            )
        },
        "or-true" => ("plain", plain, "        run: cargo test --workspace || true\n"),
        "piped" => {
            let shell =
                "defaults:\n  run:\n    shell: bash # with pipefail, which the default shell has not\n";
            ("", shell, "")
        },
        "tests-on-main" => {
            let when = "        if: ${{ github.ref == 'refs/heads/main' }}\n        run: cargo test --workspace\n";
            ("plain", plain, when)
        },
        "plain-twice" => ("integration", " --features integration", ""),
        "no-plain-tier" => {
            let both = "        run: cargo test --workspace --features integration\n";
            ("plain", plain, both)
        },
    }
}

fn results() -> Option<(&'static str, &'static str, &'static str)> {
    by_fault! {
        "kept-when-green" => {
            let kept = "        if: ${{ !cancelled() }}\n        with:\n          name: report";
            ("integration", kept, "        with:\n          name: report")
        },
        "nothing-to-keep" => ("integration", "if-no-files-found: error", "if-no-files-found: ignore"),
        "page-not-kept" => ("integration", "            target/report.html\n", ""),
        "title-in-a-script" => {
            let script = "        run: |\n          echo \"${{ github.event.pull_request.title }}\"\n          cargo test --workspace\n";
            ("plain", "        run: cargo test --workspace\n", script)
        },
    }
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
    by_fault! {
        "list-of-triggers" => every("on:\n  push:\n  pull_request:\n", "on: [pull_request, push]\n"),
        "five-minutes" => every("timeout-minutes: 10", "timeout-minutes: 5"),
        "permissions-of-each-job" => every("permissions:\n  contents: read\n", "permissions: {}\n").replace(
            "    runs-on: ubuntu-24.04\n",
            "    runs-on: ubuntu-24.04\n    permissions:\n      contents: read\n",
        ),
        "cache-by-hand" => {
            let cache = "      - name: What cargo has built\n        uses: actions/cache@27d5ce7f107fe9357f9df03efb73ab90386fccae # v5.0.5\n        with:\n          path: |\n            ~/.cargo/registry\n            target\n          key: cargo-${{ runner.os }}-${{ hashFiles('Cargo.lock') }}\n";
            every(CARGO_CACHE, cache)
        },
        "always" => every("${{ !cancelled() }}", "always()"),
        "named-by-system" => every("key: images-${{", "key: images-${{ runner.os }}-${{"),
        "piped-in-bash" => every(
            "run: cargo test --workspace\n",
            "run: cargo test --workspace | tee test.log\n",
        ),
        "renamed" => {
            let renamed = every("  plain:\n", "  quick:\n").replace("[lint, plain,", "[lint, quick,");
            renamed.replace("The plain tier", "Quick tests")
        },
    }
    .unwrap_or_else(|| RIGHT.to_owned())
}
