//! The other right projects. Their documents say the same, in another form.

use std::collections::BTreeMap;

use testenv::fault;

use crate::edits::edit;

type Files = BTreeMap<String, String>;

const TESTING: &str = "TESTING.md";
const MAP: &str = "docs/ARCHITECTURE.md";

/// Makes the project another right one, if `COURSE_FAULT` asks for it.
pub(crate) fn apply(files: &mut Files) {
    if fault!("in-another-order") {
        swap(files, TESTING, ["### real\n", "### load\n", "## Reports\n"]);
        swap(files, TESTING, ["| `SHOP_PORT`", "| `SHOP_ROUNDS`", "| `SHOP_REPORT`"]);
        swap(files, TESTING, ["### No server", "### The schema", "### There is"]);
        swap(files, TESTING, ["| `postgres 16.4`", "| `redis", "| `k6"]);
        swap(files, MAP, ["- `data/`", "- `docs/`", "- `errors/`"]);
    }
    if fault!("links-by-reference") {
        edit(files, TESTING, "[The map](docs/ARCHITECTURE.md)", "[The map]");
        edit(files, TESTING, "[plain](#plain)", "[plain][first]");
        add(files, TESTING, "\n[The map]: docs/ARCHITECTURE.md\n[first]: #plain\n");
        edit(files, MAP, "[report](../TESTING.md#reports)", "[report]");
        add(files, MAP, "\n[report]: ../TESTING.md#reports\n");
    }
    if fault!("tildes") {
        each(files, |text| text.replace("```", "~~~"));
    }
    if fault!("underlined") {
        each(files, |text| text.lines().map(underlined).collect());
    }
    if fault!("list-for-table") {
        let row = |line: &str| match line.strip_prefix("| `SHOP_") {
            Some(row) => format!("- `SHOP_{}\n", row.trim_end_matches(" |").replace(" | ", ": ")),
            None => format!("{line}\n"),
        };
        let head = "| variable | default | meaning |\n|---|---|---|\n";
        edit(files, TESTING, head, "The variables and their defaults:\n\n");
        each(files, |text| text.lines().map(row).collect());
    }
    if fault!("table-for-list") {
        let row = |line: &str| match line.strip_prefix("- `").and_then(|it| it.split_once(" has "))
        {
            Some((folder, rest)) => format!("| `{folder} | {rest} |\n"),
            None => format!("{line}\n"),
        };
        edit(files, MAP, "- `data/`", "| folder | what is there |\n|---|---|\n- `data/`");
        each(files, |text| text.lines().map(row).collect());
    }
    if fault!("in-two-steps") {
        edit(files, TESTING, "sh run seed\n", "sh run down\nsh run seed\n");
    }
    if fault!("one-more-document") {
        let words = "# Words\n\n## See also\n\n- [The tiers](../TESTING.md#tiers)\n";
        files.insert("docs/WORDS.md".to_owned(), words.to_owned());
        edit(files, MAP, "## See also\n\n", "## See also\n\n- [Words](WORDS.md)\n");
    }
    if fault!("in-other-words") {
        edit(
            files,
            TESTING,
            "Cause: somebody edited the prices by hand.",
            "Cause: a typing error.",
        );
        edit(files, TESTING, "# Testing the shop\n", "# How the shop is tested\n");
    }
}

fn each(files: &mut Files, change: impl Fn(&str) -> String) {
    for (_, text) in files.iter_mut().filter(|(path, _)| path.ends_with(".md")) {
        *text = change(text);
    }
}

fn add(files: &mut Files, path: &str, end: &str) {
    *files.get_mut(path).expect("the specimen has it") += end;
}

/// Puts what begins with the second mark before what begins with the first. The third mark ends it.
fn swap(files: &mut Files, path: &str, marks: [&str; 3]) {
    let text = &files[path];
    let [a, b, c] = marks.map(|mark| text.find(mark).unwrap_or_else(|| panic!("no {mark:?}")));
    let swapped = [&text[..a], &text[b..c], &text[a..b], &text[c..]].concat();
    files.insert(path.to_owned(), swapped);
}

/// Only two levels of headings can be underlined.
fn underlined(line: &str) -> String {
    match (line.strip_prefix("# "), line.strip_prefix("## ")) {
        // In a block of commands this is a comment.
        (Some(comment), _) if comment.starts_with("The second") => format!("{line}\n"),
        (Some(heading), _) => format!("{heading}\n===\n"),
        (_, Some(heading)) => format!("{heading}\n---\n"),
        _ => format!("{line}\n"),
    }
}
