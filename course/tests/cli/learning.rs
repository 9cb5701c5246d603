//! The way through the tasks: where the learner is, hints, solutions, what is next, a fresh start.

use crate::workspace::{SOLUTION, Workspace};

#[test]
fn without_a_word_it_says_where_the_learner_is_and_what_to_type() {
    let said = Workspace::new().course(&[]);

    said.says(
        0,
        &[
            "0 of 2 tasks complete",
            "You are at task01-sum: Task 01: a sum (not checked yet)",
            "crates/task01-sum/tests/exercise.rs",
            "cargo course check",
            // The workspaces of these tests have a space in their path.
            "librdkafka cannot be built in a path with a space",
            "to fix: export CARGO_TARGET_DIR=",
        ],
    );
}

#[test]
fn a_complete_task_makes_the_next_one_the_current_one() {
    let workspace = Workspace::new();
    workspace.exercise(SOLUTION);
    workspace.course(&["check"]).says(0, &[]);

    workspace.course(&[]).says(0, &["1 of 2 tasks complete", "You are at task02-more"]);
    workspace
        .course(&["list"])
        .says(0, &["task01-sum     2/2  Task 01: a sum", "> task02-more      -"]);
    workspace.course(&["next"]).says(
        0,
        &["# Task 01: a sum\n\nTwo numbers become one.", "cargo course check task02-more"],
    );
    workspace
        .course(&["solution", "sum"])
        .says(0, &["// crates/task01-sum/tests/solution.rs", "fn one_and_one_is_two()"]);
}

#[test]
fn a_fault_added_later_reopens_the_task() {
    let workspace = Workspace::new();
    workspace.write(".course/progress", "task01-sum 1/1\n");

    workspace.course(&[]).says(0, &["0 of 2 tasks complete", "You are at task01-sum"]);
}

#[test]
fn hints_give_away_a_little_more_each_time() {
    let workspace = Workspace::new();
    workspace
        .course(&["faults"])
        .says(0, &["fault 1  not tried  it breaks R1 `sum` adds.", "1 other right program"]);

    let first = workspace.course(&["hint"]);
    first.says(
        0,
        &["HINT-OF-MINUS", "1 more hint is left for this fault", "2 faults survive in all"],
    );
    first.hides("STORY");
    workspace.course(&["faults"]).hides("STORY");

    let see_it = "COURSE_FAULT=minus cargo test -p task01-sum --test exercise";
    workspace
        .course(&["hint"])
        .says(0, &["HINT-OF-MINUS", "STORY-OF-MINUS", see_it, "all there is to tell"]);
    let told = workspace.course(&["faults"]);
    told.says(0, &["minus: STORY-OF-MINUS"]);
    told.hides("WRAPS");
}

#[test]
fn a_solution_is_shown_early_only_when_asked_for() {
    let workspace = Workspace::new();

    let refused = workspace.course(&["solution", "sum"]);
    refused.says(1, &["cargo course solution task01-sum --show"]);
    refused.hides("one_and_one_is_two");

    workspace.course(&["solution", "sum", "--show"]).says(0, &["one_and_one_is_two"]);
}

#[test]
fn next_offers_what_was_never_begun_and_says_what_stays_open() {
    let workspace = Workspace::new();
    workspace.write(".course/progress", "task01-sum 1/2\n");

    workspace
        .course(&["next"])
        .says(0, &["cargo course check task02-more", "task01-sum stays at 1/2"]);
}

#[test]
fn a_reset_keeps_what_was_written() {
    let workspace = Workspace::new();
    workspace.commit();
    let given = workspace.read("crates/task01-sum/tests/exercise.rs");
    workspace.exercise("// mine");

    workspace.course(&["reset", "sum"]).says(
        0,
        &[
            "your file is kept as .course/saved/task01-sum/exercise-1.rs",
            "is as it was given (HEAD)",
        ],
    );

    assert_eq!(workspace.read(".course/saved/task01-sum/exercise-1.rs"), "// mine");
    assert_eq!(workspace.read("crates/task01-sum/tests/exercise.rs"), given);
    workspace.course(&["reset", "sum"]).says(0, &["nothing to do"]);
}

#[test]
fn a_reset_without_the_file_in_the_history_changes_nothing() {
    let workspace = Workspace::new();
    workspace.commit();
    workspace.exercise("// mine");

    let said = workspace.course(&["reset", "sum", "--from", "no-such-branch"]);

    said.says(2, &["cannot be had as it was given", "no-such-branch", "cargo course reset --from"]);
    assert_eq!(workspace.read("crates/task01-sum/tests/exercise.rs"), "// mine");
}
