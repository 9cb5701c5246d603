//! Tasks in which the learner builds a piece too: `Mine` is graded by the finished suite's checks.

use crate::workspace::{SOLUTION, Workspace};

const CHECKS: &str = "#[path = \"exercise.rs\"]\nmod exercise;\nuse exercise::Mine;\n\
    #[test]\nfn it_adds() { assert_eq!(Mine.sum(1, 1), 2); }\n\
    #[test]\nfn it_ends() { assert!(Mine.sum(2, 2) > 0); }\n";

const PROMISES: &str = "[[promise]]\ntest = \"it_adds\"\nrequirement = \"R1\"\nhint = \"HINT-TO-ADD\"\n\
    [[promise]]\ntest = \"it_ends\"\nrequirement = \"R2\"\nhint = \"HINT-TO-END\"\n";

/// A first task whose learner writes `Mine` too. `sum` is what its method does.
fn workspace(sum: &str) -> Workspace {
    let workspace = Workspace::new();
    let task = "crates/task01-sum";
    let manifest = workspace.read(&format!("{task}/Cargo.toml"));
    let target = "[[test]]\nname = \"mine\"\ntest = false\n";
    workspace.write(&format!("{task}/Cargo.toml"), &format!("{manifest}{target}"));
    let faults = workspace.read(&format!("{task}/faults.toml"));
    workspace.write(&format!("{task}/faults.toml"), &format!("{faults}{PROMISES}"));
    workspace.write(&format!("{task}/tests/mine.rs"), CHECKS);
    build(&workspace, "pub struct Mine;", sum);
    workspace
}

fn build(workspace: &Workspace, mine: &str, sum: &str) {
    let method = format!("impl Mine {{ pub fn sum(&self, a: i32, b: i32) -> i32 {{ {sum} }} }}");
    workspace.exercise(&format!("#![allow(dead_code)]\n{mine}\n{method}\n{SOLUTION}"));
}

#[test]
fn a_finished_suite_with_a_piece_that_breaks_a_promise_is_not_complete() {
    let workspace = workspace("a - b + 1");

    let said = workspace.course(&["check", "sum"]);

    said.says(
        1,
        &[
            "promise 1  broken  it is R1 `sum` adds.",
            "assertion `left == right` failed",
            "again: cargo test -p task01-sum --test mine -- --exact it_adds",
            "promise 2  kept",
            "task01-sum: 2/2 faults caught, 1/2 promises kept",
        ],
    );
    assert_eq!(workspace.read(".course/progress"), "task01-sum 3/4\n");
    workspace
        .course(&[])
        .says(0, &["0 of 2 tasks complete", "3/4 faults caught and promises kept"]);
    workspace.course(&["faults", "sum"]).says(0, &["promise 1  broken", "promise 2  kept"]);
    workspace.course(&["hint", "sum"]).says(0, &["promise 1 is R1", "hint: HINT-TO-ADD"]);
}

#[test]
fn a_piece_that_keeps_its_promises_completes_the_task() {
    let workspace = workspace("a + b");

    let said = workspace.course(&["check", "sum"]);

    said.says(0, &["promise 1  kept", "2/2 faults caught, 2/2 promises kept"]);
    assert_eq!(workspace.read(".course/progress"), "task01-sum 4/4\n");
    workspace.course(&["check", "sum", "--fault", "1"]).says(0, &["fault 1 is caught"]);
}

#[test]
fn a_piece_that_hangs_or_ends_the_process_keeps_only_what_it_did_before() {
    let workspace = workspace("if a == 2 { std::process::exit(0) } else { loop {} }");

    let said = workspace.course(&["check", "sum", "--limit", "2"]);

    said.says(
        1,
        &[
            "it still ran after 2 s",
            "the test process ended with exit code 0 before it had a result",
            "0/2 promises kept",
        ],
    );
}

#[test]
fn a_piece_that_is_gone_keeps_nothing_and_the_tests_are_graded_all_the_same() {
    for mine in ["struct Other;\nuse Other as Mine;", "struct Mine;"] {
        let workspace = workspace("a + b");
        build(&workspace, mine, "a + b");

        let said = workspace.course(&["check", "sum"]);

        said.says(
            1,
            &[
                "error[E0603]",
                "there is no `Mine` that tests/mine.rs compiles with",
                "2/2 faults caught, 0/2 promises kept",
            ],
        );
    }
}

#[test]
fn dev_check_wants_a_piece_that_is_not_finished_as_given() {
    let workspace = workspace("a + b");

    let said = workspace.course(&["dev", "check", "sum"]);

    said.says(1, &["off: task01-sum: the piece as given keeps every promise"]);
}

#[test]
fn the_solutions_tests_of_its_own_piece_need_not_catch_a_fault() {
    let workspace = workspace("0");
    let more = "#[test] fn of_the_piece() {}\n\
        #[test] fn idle() { assert_eq!(task01_sum::sum(0, 0), 0); }\n";
    workspace.write("crates/task01-sum/tests/solution.rs", &format!("{SOLUTION}{more}"));

    let said = workspace.course(&["dev", "check", "sum"]);

    said.says(1, &["off: task01-sum: the solution's test idle catches no fault"]);
    said.hides("of_the_piece catches no fault");
}
