//! The wrong projects: in each of them, a document and the project do not agree.
//! Think about mistakes of your own before you read on.

use std::collections::BTreeMap;

use testenv::{by_fault, fault};

/// A file, what it has once, and what stands there instead.
type Edit = (&'static str, &'static str, &'static str);

const TESTING: &str = "TESTING.md";
const MAP: &str = "docs/ARCHITECTURE.md";
const RUN: &str = "run";

/// Makes the project the wrong one that `COURSE_FAULT` asks for.
pub(crate) fn apply(files: &mut BTreeMap<String, String>) {
    let found =
        commands().or_else(hides).or_else(links).or_else(errors).or_else(tiers).or_else(lists);
    if let Some((path, was, is)) = found {
        edit(files, path, was, is);
    }
    if fault!("error-unexplained") {
        let fails = "down)\n    [ -e .state/server ] || fail nothing-to-stop \"nothing to stop\"\n    rm -rf .state\n    ;;";
        edit(files, RUN, "down) rm -rf .state ;;", fails);
        files.insert("errors/nothing-to-stop.sh".to_owned(), "true\nsh run down\n".to_owned());
    }
}

fn commands() -> Option<Edit> {
    by_fault! {
        "command-renamed" => (RUN, "lint)\n", "check)\n"),
        "option-gone" => (RUN, "--rounds)\n", "--times)\n"),
        "needs-the-command-before" => (TESTING, "sh run test && sh run report\n", "sh run test\nsh run report\n"),
        "to-be-filled-in" => (MAP, "sh run new discount &&", "sh run new <name> &&"),
    }
}

fn hides() -> Option<Edit> {
    by_fault! {
        "or-true" => (MAP, "sh run lint\n", "sh run clean || true\n"),
        "piped" => (TESTING, "&& sh run report\n", "&& sh run report | tail -n 5\n"),
        "the-last-one-counts" => (MAP, "sh run lint\n", "sh run clean; sh run lint\n"),
    }
}

fn links() -> Option<Edit> {
    by_fault! {
        "heading-renamed" => (TESTING, "## Reports\n", "## The report\n"),
        "file-moved" => (TESTING, "2_not_below_zero.sql", "2_zero.sql"),
        "anchor-by-hand" => (MAP, "#a-price-is-no-number-or", "#a-price-is-no-number,-or"),
        "from-the-root" => (MAP, "(../TESTING.md#settings)", "(TESTING.md#settings)"),
        "other-letters" => (TESTING, "(docs/ARCHITECTURE.md)", "(docs/Architecture.md)"),
        "heading-of-another-document" => (MAP, "(../TESTING.md#settings)", "(#settings)"),
    }
}

fn errors() -> Option<Edit> {
    by_fault! {
        "error-of-the-past" => {
            let past = "### The disk is full\n\nCause: old runs leave their state.\n\n```sh\nsh run down\n```\n\n### There is no report\n";
            (TESTING, "### There is no report\n", past)
        },
        "cause-unsaid" => (TESTING, "Cause: somebody edited the prices by hand.\n\n", ""),
        "cure-in-words" => {
            let words = "Cause: somebody edited the prices by hand.\n\nMake the prices new.\n";
            let cure = "Cause: somebody edited the prices by hand.\n\n```sh\nsh run seed\n```\n";
            (TESTING, cure, words)
        },
        "cures-nothing" => (TESTING, "sh run up && sh run migrate\n", "sh run up\n"),
    }
}

fn tiers() -> Option<Edit> {
    by_fault! {
        "tier-unsaid" => (
            "tests/tiers",
            "load | sh",
            "pages | sh run up && sh run test real |\nload | sh",
        ),
        "tier-of-the-past" => {
            let past = "### browser\n\nLooks at the pages.\n\n```sh\nsh run test\n```\n\n### load\n";
            (TESTING, "### load\n", past)
        },
        "need-unsaid" => ("tests/tiers", "| postgres k6", "| postgres redis k6"),
        "command-of-another-tier" => (TESTING, "sh run up && sh run test real\n", "sh run up && sh run test\n"),
    }
}

fn lists() -> Option<Edit> {
    by_fault! {
        "setting-unsaid" => (RUN, ": \"${SHOP_PORT", ": \"${SHOP_PATIENCE:=30}\"\n: \"${SHOP_PORT"),
        "setting-of-the-past" => (RUN, ": \"${SHOP_ROUNDS:=3}\"", "SHOP_ROUNDS=3"),
        "default-of-the-past" => (RUN, ":=5544}", ":=5600}"),
        "folder-unsaid" => (
            MAP,
            "- `migrations/` has the schema, as `postgres 16.4` understands it.\n",
            "",
        ),
        "folder-of-the-past" => (MAP, "- `tests/` has", "- `scripts/` has what CI runs.\n- `tests/` has"),
        "version-of-the-past" => (".tool-versions", "redis 7.4.1", "redis 8.0.2"),
        "version-elsewhere" => (MAP, "`postgres 16.4`", "`postgres 15.8`"),
        "tool-unsaid" => (".tool-versions", "k6 0.54.0", "k6 0.54.0\njq 1.7.1"),
        "heading-twice" => (
            TESTING,
            "## See also\n",
            "## Look closer\n\nThe rest is elsewhere.\n\n## See also\n",
        ),
    }
}

/// Replaces what the file has once.
pub(crate) fn edit(files: &mut BTreeMap<String, String>, path: &str, was: &str, is: &str) {
    let text = files.get_mut(path).unwrap_or_else(|| panic!("the specimen has no {path}"));
    assert_eq!(text.matches(was).count(), 1, "{path} has this once: {was:?}");
    *text = text.replacen(was, is, 1);
}
