//! Selects the workflow to judge: the right one, unless `COURSE_FAULT` asks for another.
//! Think about mistakes of your own before you read on.

use testenv::fault;

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
    let matrix = |is| Some(("integration", MATRIX, is));
    if fault!("first-twice") {
        return matrix("        shard: [1/2, 1/2]\n");
    }
    if fault!("two-of-three") {
        return matrix("        shard: [1/3, 2/3]\n");
    }
    if fault!("one-more") {
        return matrix("        shard: [1/2, 2/2, 1/1]\n");
    }
    if fault!("from-zero") {
        return matrix("        shard: [0/2, 1/2]\n");
    }
    if fault!("not-the-matrix") {
        let fixed = "cargo course shard 1/2 --by test -- --profile ci --features integration";
        return Some(("integration", SHARD, fixed));
    }
    if fault!("other-variable") {
        return Some(("integration", "          SHARD: ${{", "          SHARDS: ${{"));
    }
    if fault!("by-package") {
        let by_package = "cargo course shard \"$SHARD\" -- --profile ci --features integration";
        return Some(("integration", SHARD, by_package));
    }
    if fault!("one-shard") {
        return matrix("        shard: [1/1]\n");
    }
    None
}

fn schedules() -> Option<Edit> {
    if fault!("ends-the-others") {
        return Some(("integration", "      fail-fast: false\n", ""));
    }
    if fault!("one-at-a-time") {
        let two = "      fail-fast: false\n      max-parallel: 1\n";
        return Some(("integration", "      fail-fast: false\n", two));
    }
    if fault!("after-the-lints") {
        let needs = "    runs-on: ubuntu-24.04\n    needs: lint\n";
        return Some(("integration", "    runs-on: ubuntu-24.04\n", needs));
    }
    if fault!("one-name") {
        return Some(("integration", INDEX, "report"));
    }
    if fault!("name-of-the-run") {
        return Some(("integration", INDEX, "report-${{ github.run_id }}"));
    }
    None
}

fn gates() -> Option<Edit> {
    if fault!("not-needed") {
        return Some((
            "all",
            NEEDS,
            "    needs: [lint, plain, integration, quarantine, stranger]\n",
        ));
    }
    if fault!("skipped") {
        return Some(("all", "    if: ${{ always() }}\n", ""));
    }
    if fault!("looks-for-failure") {
        let script = "        run: '[[ \" $RESULTS \" != *\" failure \"* ]]'\n";
        return Some(("all", GATE, script));
    }
    if fault!("skipped-is-fine") {
        let script = "        run: for result in $RESULTS; do case $result in failure | cancelled) exit 1 ;; esac; done\n";
        return Some(("all", GATE, script));
    }
    if fault!("last-one-counts") {
        let script = "        shell: bash {0}\n        run: for result in $RESULTS; do [ \"$result\" = success ]; done\n";
        return Some(("all", GATE, script));
    }
    if fault!("never-passes") {
        let script = "        run: for result in $RESULTS; do [ \"$result\" = passed ]; done\n";
        return Some(("all", GATE, script));
    }
    if fault!("one-is-enough") {
        return Some(("all", GATE, "        run: grep -q success <<< \"$RESULTS\"\n"));
    }
    None
}

fn edited(text: &str, job: &str, was: &str, is: &str) -> String {
    let at = text.find(&format!("\n  {job}:\n")).unwrap_or_else(|| panic!("no job {job}"));
    let (before, after) = text.split_at(at);
    assert!(after.contains(was), "the workflow has no {was:?} in {job}");
    before.to_owned() + &after.replacen(was, is, 1)
}

/// The right workflow, or another one that is right, too.
fn other_right() -> String {
    if fault!("four-shards") {
        return edited(RIGHT, "integration", MATRIX, "        shard: [1/4, 2/4, 3/4, 4/4]\n");
    }
    if fault!("by-number") {
        let numbers = edited(RIGHT, "integration", MATRIX, "        number: [1, 2]\n");
        let variable = "SHARD: ${{ matrix.number }}/${{ strategy.job-total }}";
        let named = edited(&numbers, "integration", "SHARD: ${{ matrix.shard }}", variable);
        return edited(&named, "integration", INDEX, "report-${{ matrix.number }}");
    }
    if fault!("by-nextest") {
        let nextest = "cargo nextest run --workspace --partition \"hash:$SHARD\" --profile ci --features integration";
        return edited(RIGHT, "integration", SHARD, nextest);
    }
    if fault!("in-another-order") {
        let backwards = "    needs: [stranger, quarantine, course, integration, plain, lint]\n";
        let text = edited(RIGHT, "all", NEEDS, backwards);
        return edited(&text, "integration", MATRIX, "        shard: [2/2, 1/2]\n");
    }
    if fault!("counts-what-failed") {
        let script = "        run: |\n          failed=0\n          for result in $RESULTS; do\n            if [ \"$result\" != success ]; then failed=$((failed + 1)); fi\n          done\n          exit $failed\n";
        return edited(RIGHT, "all", GATE, script);
    }
    RIGHT.to_owned()
}
