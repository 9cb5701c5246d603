//! `quarantine`: the gate, and the runs that block nobody.

use crate::workspace::{Said, Workspace};

const FILE: &str = ".config/quarantine.toml";
const TASK: &str = "crates/task02-more";

/// An entry of a test of the second task.
fn entry(test: &str, until: &str) -> String {
    format!(
        "[[test]]\npackage = \"task02-more\"\ntest = \"{test}\"\nreason = \"a race\"\nowner = \"Ada\"\nuntil = {until}\n"
    )
}

/// A workspace whose second task has two tests behind the feature: one passes, one fails.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    let manifest = workspace.read(&format!("{TASK}/Cargo.toml"));
    workspace.write(&format!("{TASK}/Cargo.toml"), &format!("{manifest}[features]\nflaky = []\n"));
    let tests = "#![cfg(feature = \"flaky\")]\n#[test]\nfn passes() {}\n#[test]\nfn fails() { assert_eq!(1, 2) }\n";
    workspace.write(&format!("{TASK}/tests/flaky.rs"), tests);
    workspace
}

fn quarantine(workspace: &Workspace, options: &[&str]) -> Said {
    workspace.course(&[&["quarantine"], options].concat())
}

#[test]
fn the_gate_says_everything_that_is_wrong() {
    let workspace = workspace();
    let entries = [
        entry("fails", "2001-01-31"),
        entry("nobody", "2099-01-31"),
        entry("one_and_one_is_two", "2099-01-31"), // of the usual suite
    ];
    workspace.write(FILE, &entries.concat());

    quarantine(&workspace, &[]).says(
        1,
        &[
            "task02-more fails was in quarantine until 2001-01-31",
            "task02-more nobody is in quarantine, and there is no such test",
            "task02-more one_and_one_is_two is in quarantine, and is not behind the feature flaky",
            "task02-more passes is behind the feature flaky, and has no entry",
            "to fix: edit .config/quarantine.toml",
        ],
    );
}

#[test]
fn failures_are_shown_and_block_nobody_and_who_passed_often_may_leave() {
    let workspace = workspace();
    let entries = [entry("fails", "2099-01-31"), entry("passes", "2099-01-31")];
    workspace.write(FILE, &entries.concat());

    let first = quarantine(&workspace, &["--run", "--needed", "2"]);
    let second = quarantine(&workspace, &["--run", "--needed", "2"]);
    let gate = quarantine(&workspace, &["--needed", "2"]);

    first.says(0, &["task02-more passes: passed; passed 1 of 1, 1 in a row (until"]);
    first.says(0, &["again  TEST_SEED=", "-p task02-more --test flaky --features flaky"]);
    second
        .says(0, &["task02-more fails: failed; passed 0 of 2, 0 in a row (until 2099-01-31, Ada)"]);
    for said in [second, gate] {
        said.says(0, &["task02-more passes: passed; passed 2 of 2, 2 in a row: it may leave"]);
    }
}

#[test]
fn a_workspace_without_a_quarantine_has_an_open_gate() {
    quarantine(&Workspace::new(), &[]).says(0, &["no test is in quarantine"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_cure() {
    let workspace = workspace();
    for (text, why) in [
        ("[[test]]\npackage = \"a\"\n", "has no"),
        ("[[tests]]\n", "unknown field"),
        ("until = tomorrow\n", "quarantine.toml: "),
    ] {
        workspace.write(FILE, text);
        quarantine(&workspace, &[]).says(2, &[why, "to fix: edit .config/quarantine.toml"]);
    }
}
