//! `shard`: a part of the suite on a machine of its own, which knows nothing of the other parts.

use std::os::unix::fs::PermissionsExt;

use crate::workspace::{SOLUTION, Said, Workspace};

/// A workspace with a `cargo` in front of the real one. It notes what it is told.
struct Job {
    workspace: Workspace,
}

impl Job {
    /// nextest is there, and does what this script says: `$1` is its word, `run` or `list`.
    fn with_nextest(script: &str) -> Job {
        Job::with_cargo(&format!("[ \"$1\" = nextest ] && shift && {{ {script}; }}"))
    }

    /// nextest is missing; everything else is the real cargo's.
    fn without_nextest() -> Job {
        Job::with_cargo("[ \"$1\" = nextest ] && exit 101")
    }

    fn with_cargo(script: &str) -> Job {
        let job = Job { workspace: Workspace::new() };
        let real = env!("CARGO");
        job.workspace.write(
            "bin/cargo",
            &format!("#!/bin/sh\necho \"$*\" >> calls\n{script}\nexec '{real}' \"$@\"\n"),
        );
        let program = job.workspace.root().join("bin/cargo");
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
        job
    }

    fn shard(&self, words: &[&str]) -> Said {
        let mut command = self.workspace.command(&[&["shard"], words].concat());
        command.env("CARGO", self.workspace.root().join("bin/cargo"));
        Said::of(&command.output().unwrap())
    }

    fn listed(&self, words: &[&str]) -> Vec<String> {
        let said = self.shard(&[words, &["--list"]].concat());
        said.says(0, &[]);
        said.out.lines().map(str::to_owned).collect()
    }
}

/// In a report of nextest, `task01-sum` is the longest; `task03-old` is renamed to `task03-new`.
const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" failures="0" errors="0">
    <testsuite name="task01-sum::solution" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="a" classname="task01-sum::solution" time="9.000"/>
    </testsuite>
    <testsuite name="task02-more::solution" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="a" classname="task02-more::solution" time="4.000"/>
    </testsuite>
    <testsuite name="task03-old" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="a" classname="task03-old" time="90.000"/>
    </testsuite>
</testsuites>"#;

#[test]
fn every_package_is_in_one_shard_of_any_number() {
    let job = Job::without_nextest();
    for of in [1, 2, 3, 5] {
        let shards = (1..=of).map(|number| job.listed(&[&format!("{number}/{of}")]));

        let mut listed: Vec<String> = shards.flatten().collect();

        listed.sort();
        assert_eq!(listed, ["task01-sum", "task02-more"], "{of} shards");
    }
}

#[test]
fn a_report_balances_the_packages_and_a_renamed_one_is_new() {
    let job = Job::without_nextest();
    for file in ["Cargo.toml", "src/lib.rs"] {
        let text = job.workspace.read(&format!("crates/task02-more/{file}"));
        let text = text.replace("task02-more", "task03-new");
        job.workspace.write(&format!("crates/task03-new/{file}"), &text);
    }
    job.workspace.write("junit.xml", REPORT);

    let listed = |shard| job.listed(&[shard, "--timings", "junit.xml"]);

    // 9 s, against 4 s and what a new package counts.
    assert_eq!(listed("1/2").len() + listed("2/2").len(), 3);
    assert_eq!(listed("1/3"), ["task01-sum"]);
    assert_eq!(listed("2/3"), ["task03-new"]);
    assert_eq!(listed("3/3"), ["task02-more"]);
}

#[test]
fn a_report_that_cannot_be_read_splits_nothing() {
    let job = Job::without_nextest();
    job.workspace.write("page.xml", "<html></html>");

    for file in ["missing.xml", "page.xml"] {
        let said = job.shard(&["1/2", "--list", "--timings", file]);

        said.says(2, &["cannot read the report", file, "to fix: cargo nextest run --profile ci"]);
        assert_eq!(said.out, "");
    }
    job.shard(&["1/2", "--by", "test", "--timings", "page.xml"])
        .says(2, &["`--timings` balances packages, not tests", "to fix: "]);
}

#[test]
fn a_shard_that_does_not_exist_is_refused() {
    let job = Job::without_nextest();
    for (shard, why) in [
        ("0/2", "there is no shard 0 of 2; the shards are numbered from 1 to 2"),
        ("3/2", "there is no shard 3 of 2; the shards are numbered from 1 to 2"),
        ("1/0", "a suite cannot be split into 0 shards; say 1 or more"),
        ("a/b", "`a/b` names no shard; write its number and the number of shards, such as 1/2"),
    ] {
        job.shard(&[shard]).says(2, &[why]);
    }
    job.shard(&[]).says(2, &["required"]);
    job.shard(&["--speed-up", "1"]).says(2, &["1 is not in 2.."]);
}

#[test]
fn an_empty_shard_says_so_and_passes() {
    let job = Job::with_nextest("exit 0");
    let shard = |number| format!("{number}/1000");
    let empty = (1..).find(|number| job.listed(&[&shard(*number)]).is_empty()).unwrap();

    let said = job.shard(&[&shard(empty)]);

    said.says(0, &[&format!("shard {empty}/1000 is empty: every package is in another shard")]);
    assert!(!job.workspace.read("calls").contains("nextest run"));
}

#[test]
fn nextest_runs_the_packages_of_a_shard_with_the_arguments() {
    let job = Job::with_nextest("exit 0");

    job.shard(&["1/1", "--", "--features", "integration"]).says(0, &["by hash: 2 packages"]);
    job.shard(&["2/3", "--by", "test", "--", "sum"]).says(0, &[]);
    job.shard(&["2/3", "--by", "test", "--list"]).says(0, &[]);

    let calls = job.workspace.read("calls");
    for call in [
        "nextest run -E package(=task01-sum) | package(=task02-more) --features integration\n",
        "nextest run --partition hash:2/3 sum\n",
        "nextest list --partition hash:2/3\n",
    ] {
        assert!(calls.contains(call), "{call}: {calls}");
    }
}

#[test]
fn a_failed_shard_fails() {
    Job::with_nextest("[ \"$1\" = run ] && exit 100; exit 0").shard(&["1/1"]).says(1, &[]);
}

/// nextest's exit code 4 says only that this shard had no test.
#[test]
fn a_shard_without_tests_passes_only_if_another_shard_has_some() {
    let some =
        Job::with_nextest("[ \"$1\" = run ] && exit 4; echo 'task01-sum::solution a'; exit 0");
    let none = Job::with_nextest("[ \"$1\" = run ] && exit 4; exit 0");
    let unknown =
        Job::with_nextest("[ \"$1\" = run ] && exit 4; [ \"$1\" = list ] && exit 2; exit 0");
    for by in ["package", "test"] {
        let words = ["1/1", "--by", by, "--", "one"];

        some.shard(&words).says(0, &["shard 1/1 is empty: every test is in another shard"]);
        none.shard(&words)
            .says(1, &["there is no test to run, in this shard or in any other", "to fix: "]);
        unknown.shard(&words).says(1, &["there is no test to run"]);
    }
}

#[test]
fn arguments_that_would_run_a_test_twice_are_refused() {
    let with = Job::with_nextest("exit 0");
    let without = Job::without_nextest();

    for argument in ["-Etest(a)", "--filterset=test(a)"] {
        with.shard(&["1/2", "--", argument])
            .says(2, &["would run tests of other shards", "to fix"]);
    }
    with.shard(&["1/2", "--by", "test", "--", "--partition=hash:1/2"]).says(2, &["to fix"]);
    for argument in ["-ptask01-sum", "--workspace"] {
        without.shard(&["1/2", "--", argument]).says(2, &["would run tests of other shards"]);
    }
    without
        .shard(&["1/2", "--by", "test"])
        .says(2, &["only cargo-nextest splits single tests", "to fix: cargo course setup"]);
}

#[test]
fn a_wrong_program_of_the_lesson_splits_nothing() {
    let job = Job::without_nextest();
    let mut command = job.workspace.command(&["shard", "1/2", "--list"]);

    let said = Said::of(&command.env("COURSE_FAULT", "last-shard-lost").output().unwrap());

    said.says(2, &["COURSE_FAULT is set", "to fix: unset COURSE_FAULT"]);
}

#[test]
fn without_nextest_two_shards_run_every_test_once() {
    let job = Job::without_nextest();

    let shards = ["1/2", "2/2"].map(|shard| job.shard(&[shard, "--", "--test", "solution"]));

    let mut output = String::new();
    for shard in shards {
        shard.says(0, &[]);
        output.push_str(&shard.out);
    }
    let tests = SOLUTION.matches("#[test]").count();
    assert_eq!(output.matches(" ... ok").count(), 2 * tests, "{output}");
    job.shard(&["1/1", "--", "--test", "solution", "no_such_test"])
        .says(1, &["there is no test to run, in this shard or in any other"]);
    job.shard(&["1/1", "--", "--test", "solution", "one_and_one"]).says(0, &["1 passed"]);
}

#[test]
fn the_speed_up_compares_the_shards_with_the_whole() {
    let job = Job::with_nextest("exit 0");

    let said = job.shard(&["--speed-up", "2", "--by", "test", "--", "sum"]);

    said.says(0, &["whole: ", "1/2: ", "2/2: ", "2 shards at once: ", " % of the whole"]);
    let calls = job.workspace.read("calls");
    for call in [
        "nextest run --no-run sum\n",
        "nextest run sum\n",
        "nextest run --partition hash:1/2 sum\n",
        "nextest run --partition hash:2/2 sum\n",
    ] {
        assert_eq!(calls.matches(call).count(), 1, "{call}: {calls}");
    }
}

#[test]
fn a_speed_up_is_none_if_a_shard_fails() {
    let job = Job::with_nextest(
        "case \"$*\" in *no-run*) exit 0 ;; *hash:2/2*) echo the-reason; exit 100 ;; esac; exit 0",
    );

    let said = job.shard(&["--speed-up", "2", "--by", "test"]);

    said.says(1, &["1/2: ", "2/2: ", "failed", "the-reason"]);
}
