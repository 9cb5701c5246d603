//! The wrong projects: in each of them, a document and the project do not agree.
//! Think about mistakes of your own before you read on.

use std::collections::BTreeMap;

use testenv::fault;

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
    if fault!("command-renamed") {
        return Some((RUN, "lint)\n", "check)\n"));
    }
    if fault!("option-gone") {
        return Some((RUN, "--rounds)\n", "--times)\n"));
    }
    if fault!("needs-the-command-before") {
        return Some((TESTING, "sh run test && sh run report\n", "sh run test\nsh run report\n"));
    }
    if fault!("to-be-filled-in") {
        return Some((MAP, "sh run new discount &&", "sh run new <name> &&"));
    }
    None
}

fn hides() -> Option<Edit> {
    if fault!("or-true") {
        return Some((MAP, "sh run lint\n", "sh run clean || true\n"));
    }
    if fault!("piped") {
        return Some((TESTING, "&& sh run report\n", "&& sh run report | tail -n 5\n"));
    }
    if fault!("the-last-one-counts") {
        return Some((MAP, "sh run lint\n", "sh run clean; sh run lint\n"));
    }
    None
}

fn links() -> Option<Edit> {
    if fault!("heading-renamed") {
        return Some((TESTING, "## Reports\n", "## The report\n"));
    }
    if fault!("file-moved") {
        return Some((TESTING, "2_not_below_zero.sql", "2_zero.sql"));
    }
    if fault!("anchor-by-hand") {
        return Some((MAP, "#a-price-is-no-number-or", "#a-price-is-no-number,-or"));
    }
    if fault!("from-the-root") {
        return Some((MAP, "(../TESTING.md#settings)", "(TESTING.md#settings)"));
    }
    if fault!("other-letters") {
        return Some((TESTING, "(docs/ARCHITECTURE.md)", "(docs/Architecture.md)"));
    }
    if fault!("heading-of-another-document") {
        return Some((MAP, "(../TESTING.md#settings)", "(#settings)"));
    }
    None
}

fn errors() -> Option<Edit> {
    if fault!("error-of-the-past") {
        let past = "### The disk is full\n\nCause: old runs leave their state.\n\n```sh\nsh run down\n```\n\n### There is no report\n";
        return Some((TESTING, "### There is no report\n", past));
    }
    if fault!("cause-unsaid") {
        return Some((TESTING, "Cause: somebody edited the prices by hand.\n\n", ""));
    }
    if fault!("cure-in-words") {
        let words = "Cause: somebody edited the prices by hand.\n\nMake the prices new.\n";
        let cure = "Cause: somebody edited the prices by hand.\n\n```sh\nsh run seed\n```\n";
        return Some((TESTING, cure, words));
    }
    if fault!("cures-nothing") {
        return Some((TESTING, "sh run up && sh run migrate\n", "sh run up\n"));
    }
    None
}

fn tiers() -> Option<Edit> {
    if fault!("tier-unsaid") {
        return Some((
            "tests/tiers",
            "load | sh",
            "pages | sh run up && sh run test real |\nload | sh",
        ));
    }
    if fault!("tier-of-the-past") {
        let past = "### browser\n\nLooks at the pages.\n\n```sh\nsh run test\n```\n\n### load\n";
        return Some((TESTING, "### load\n", past));
    }
    if fault!("need-unsaid") {
        return Some(("tests/tiers", "| postgres k6", "| postgres redis k6"));
    }
    if fault!("command-of-another-tier") {
        return Some((TESTING, "sh run up && sh run test real\n", "sh run up && sh run test\n"));
    }
    None
}

fn lists() -> Option<Edit> {
    if fault!("setting-unsaid") {
        return Some((RUN, ": \"${SHOP_PORT", ": \"${SHOP_PATIENCE:=30}\"\n: \"${SHOP_PORT"));
    }
    if fault!("setting-of-the-past") {
        return Some((RUN, ": \"${SHOP_ROUNDS:=3}\"", "SHOP_ROUNDS=3"));
    }
    if fault!("default-of-the-past") {
        return Some((RUN, ":=5544}", ":=5600}"));
    }
    if fault!("folder-unsaid") {
        return Some((
            MAP,
            "- `migrations/` has the schema, as `postgres 16.4` understands it.\n",
            "",
        ));
    }
    if fault!("folder-of-the-past") {
        return Some((MAP, "- `tests/` has", "- `scripts/` has what CI runs.\n- `tests/` has"));
    }
    if fault!("version-of-the-past") {
        return Some((".tool-versions", "redis 7.4.1", "redis 8.0.2"));
    }
    if fault!("version-elsewhere") {
        return Some((MAP, "`postgres 16.4`", "`postgres 15.8`"));
    }
    if fault!("tool-unsaid") {
        return Some((".tool-versions", "k6 0.54.0", "k6 0.54.0\njq 1.7.1"));
    }
    if fault!("heading-twice") {
        return Some((
            TESTING,
            "## See also\n",
            "## Look closer\n\nThe rest is elsewhere.\n\n## See also\n",
        ));
    }
    None
}

/// Replaces what the file has once.
pub(crate) fn edit(files: &mut BTreeMap<String, String>, path: &str, was: &str, is: &str) {
    let text = files.get_mut(path).unwrap_or_else(|| panic!("the specimen has no {path}"));
    assert_eq!(text.matches(was).count(), 1, "{path} has this once: {was:?}");
    *text = text.replacen(was, is, 1);
}
