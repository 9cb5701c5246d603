//! Selects the workflow to judge: the right one, unless `COURSE_FAULT` asks for another.
//! Think about mistakes of your own before you read on.

use testenv::by_fault;

const RIGHT: &str = include_str!("../../../.github/workflows/integration.yml");

const MATRIX: &str = "        shard: [1/2, 2/2]\n";
const SHARD: &str =
    "cargo course shard \"$SHARD\" --by test -- --profile ci --features integration";
const INDEX: &str = "report-of-shard-${{ strategy.job-index }}";
const NEEDS: &str = "    needs: [lint, plain, integration, course, quarantine, stranger]\n";
const GATE: &str = "        run: for result in $RESULTS; do [ \"$result\" = success ]; done\n";

/// Returns the workflow that `COURSE_FAULT` asks for.
pub(crate) fn selected() -> String {
    match splits().or_else(schedules).or_else(gates) {
        Some((job, was, is)) => edited(RIGHT, job, was, is),
        None => other_right(),
    }
}

/// The job, and what is replaced there.
type Edit = (&'static str, &'static str, &'static str);

fn splits() -> Option<Edit> {
    let matrix = |is| ("integration", MATRIX, is);
    by_fault! {
        "first-twice" => matrix("        shard: [1/2, 1/2]\n"),
        "two-of-three" => matrix("        shard: [1/3, 2/3]\n"),
        "one-more" => matrix("        shard: [1/2, 2/2, 1/1]\n"),
        "from-zero" => matrix("        shard: [0/2, 1/2]\n"),
        "not-the-matrix" => {
            let fixed = "cargo course shard 1/2 --by test -- --profile ci --features integration";
            ("integration", SHARD, fixed)
        },
        "other-variable" => ("integration", "          SHARD: ${{", "          SHARDS: ${{"),
        "by-package" => {
            let by_package = "cargo course shard \"$SHARD\" -- --profile ci --features integration";
            ("integration", SHARD, by_package)
        },
        "one-shard" => matrix("        shard: [1/1]\n"),
    }
}

fn schedules() -> Option<Edit> {
    by_fault! {
        "ends-the-others" => ("integration", "      fail-fast: false\n", ""),
        "one-at-a-time" => {
            let two = "      fail-fast: false\n      max-parallel: 1\n";
            ("integration", "      fail-fast: false\n", two)
        },
        "after-the-lints" => {
            let needs = "    runs-on: ubuntu-24.04\n    needs: lint\n";
            ("integration", "    runs-on: ubuntu-24.04\n", needs)
        },
        "one-name" => ("integration", INDEX, "report"),
        "name-of-the-run" => ("integration", INDEX, "report-${{ github.run_id }}"),
    }
}

fn gates() -> Option<Edit> {
    by_fault! {
        "not-needed" => (
            "all",
            NEEDS,
            "    needs: [lint, plain, integration, quarantine, stranger]\n",
        ),
        "skipped" => ("all", "    if: ${{ always() }}\n", ""),
        "looks-for-failure" => {
            let script = "        run: '[[ \" $RESULTS \" != *\" failure \"* ]]'\n";
            ("all", GATE, script)
        },
        "skipped-is-fine" => {
            let script = "        run: for result in $RESULTS; do case $result in failure | cancelled) exit 1 ;; esac; done\n";
            ("all", GATE, script)
        },
        "last-one-counts" => {
            let script = "        shell: bash {0}\n        run: for result in $RESULTS; do [ \"$result\" = success ]; done\n";
            ("all", GATE, script)
        },
        "never-passes" => {
            let script = "        run: for result in $RESULTS; do [ \"$result\" = passed ]; done\n";
            ("all", GATE, script)
        },
        "one-is-enough" => ("all", GATE, "        run: grep -q success <<< \"$RESULTS\"\n"),
    }
}

fn edited(text: &str, job: &str, was: &str, is: &str) -> String {
    let at = text.find(&format!("\n  {job}:\n")).unwrap_or_else(|| panic!("no job {job}"));
    let (before, after) = text.split_at(at);
    assert!(after.contains(was), "the workflow has no {was:?} in {job}");
    before.to_owned() + &after.replacen(was, is, 1)
}

/// The right workflow, or another one that is right, too.
fn other_right() -> String {
    by_fault! {
        "four-shards" => edited(RIGHT, "integration", MATRIX, "        shard: [1/4, 2/4, 3/4, 4/4]\n"),
        "by-number" => {
            let numbers = edited(RIGHT, "integration", MATRIX, "        number: [1, 2]\n");
            let variable = "SHARD: ${{ matrix.number }}/${{ strategy.job-total }}";
            let named = edited(&numbers, "integration", "SHARD: ${{ matrix.shard }}", variable);
            edited(&named, "integration", INDEX, "report-${{ matrix.number }}")
        },
        "by-nextest" => {
            let nextest = "cargo nextest run --workspace --partition \"hash:$SHARD\" --profile ci --features integration";
            edited(RIGHT, "integration", SHARD, nextest)
        },
        "in-another-order" => {
            let backwards = "    needs: [stranger, quarantine, course, integration, plain, lint]\n";
            let text = edited(RIGHT, "all", NEEDS, backwards);
            edited(&text, "integration", MATRIX, "        shard: [2/2, 1/2]\n")
        },
        "counts-what-failed" => {
            let script = "        run: |\n          failed=0\n          for result in $RESULTS; do\n            if [ \"$result\" != success ]; then failed=$((failed + 1)); fi\n          done\n          exit $failed\n";
            edited(RIGHT, "all", GATE, script)
        },
    }
    .unwrap_or_else(|| RIGHT.to_owned())
}
