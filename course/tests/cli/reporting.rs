//! `report`: where it reads, what it keeps, and that it is no gate.

use crate::workspace::{Said, Workspace};

const JUNIT: &str = "target/nextest/ci/junit.xml";

/// A run of two tests, one of which failed.
fn junit(day: u32, pays_in: &str) -> String {
    format!(
        r#"<testsuites name="nextest-run" time="2.000" timestamp="2026-11-{day:02}T10:33:36.300+00:00">
        <testsuite name="shop::it"><testcase name="it_pays" classname="shop::it" time="{pays_in}"/>
        <testcase name="it_fails" classname="shop::it" time="1.000"><failure type="x"/></testcase>
        </testsuite></testsuites>"#
    )
}

fn report(workspace: &Workspace, options: &[&str]) -> Said {
    workspace.course(&[&["report"], options].concat())
}

#[test]
fn a_report_is_no_gate() {
    let workspace = Workspace::new();
    workspace.write(JUNIT, &junit(1, "3.000"));

    let said = report(&workspace, &[]);

    said.says(
        0,
        &["2 tests: 1 passed, 1 failed", "parallelism    2.0", "3.00 s  shop::it it_pays"],
    );
    said.says(0, &["No earlier run is kept"]);
    assert!(!workspace.root().join(".course").exists(), "nobody said --keep");
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_cure() {
    let workspace = Workspace::new();
    report(&workspace, &[]).says(2, &[JUNIT, "to fix: cargo nextest run --workspace --profile ci"]);
    report(&workspace, &["--profile", "night"]).says(2, &["--profile night"]);

    let whole = junit(1, "3.000");
    for (text, cause) in [
        (&whole[..whole.len() / 2], "the file ends inside <test"),
        ("", "the file is empty"),
        ("<html/>", "not JUnit: the first element is <html>"),
    ] {
        workspace.write("other.xml", text);
        report(&workspace, &["--file", "other.xml", "--keep"]).says(2, &["other.xml", cause]);
    }
    assert!(!workspace.root().join(".course").exists(), "nothing was kept");
}

#[test]
fn a_run_is_kept_once_and_later_ones_are_compared_with_it() {
    let workspace = Workspace::new();
    workspace.commit();
    for (day, pays_in) in [(1, "3.000"), (2, "5.000"), (3, "4.500")] {
        workspace.write(JUNIT, &junit(day, pays_in));
        report(&workspace, &["--keep"]).says(0, &[]);
    }

    report(&workspace, &["--keep"]).says(0, &["this run was kept before"]);
    let said = report(&workspace, &[]);

    said.says(0, &["The last 3 runs", "2026-11-01 10:33", "Slower than the median of the last 5"]);
    said.says(0, &["4.00 s -> 4.50 s     shop::it it_pays"]);
    let kept = workspace.read(".course/reports.jsonl");
    assert_eq!(kept.lines().count(), 3);
    assert!(kept.lines().all(|line| line.starts_with(r#"{"commit":""#)), "{kept}");
}

#[test]
fn a_line_that_is_no_run_is_named_and_left_out() {
    let workspace = Workspace::new();
    workspace.write(JUNIT, &junit(1, "3.000"));
    workspace.write(".course/reports.jsonl", "{\"tests\":[{\"suite\":\"s");

    let said = report(&workspace, &["--keep"]);

    said.says(0, &[".course/reports.jsonl, line 1: not a run, left out"]);
    assert_eq!(workspace.read(".course/reports.jsonl").lines().count(), 2);
}

#[test]
fn the_page_is_one_file() {
    let workspace = Workspace::new();
    workspace.write(JUNIT, &junit(1, "3.000"));

    report(&workspace, &["--html", "report.html"]).says(0, &["wrote report.html"]);

    let page = workspace.read("report.html");
    for outside in ["<script", "<link", "src=", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    report(&workspace, &["--html", "no/report.html"])
        .says(2, &["the page cannot be written: no/report.html", "to fix: "]);
}
