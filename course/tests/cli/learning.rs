//! The way through the tasks: where the learner is, hints, solutions, what is next, a fresh start.

use crate::workspace::{EXERCISE, SOLUTION, Said, Workspace};

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

#[test]
fn in_the_folder_of_a_task_a_command_means_this_task() {
    let workspace = Workspace::new();
    workspace.commit();
    workspace.write("crates/task02-more/tests/exercise.rs", "// mine");
    let folder = workspace.root().join("crates/task02-more/tests");
    let here =
        |words: &[&str]| Said::of(&workspace.command(words).current_dir(&folder).output().unwrap());

    here(&["reset"]).says(0, &["crates/task02-more/tests/exercise.rs is as it was given"]);
    here(&["check"]).says(1, &["task02-more: 0/2 faults caught"]);
    here(&["faults"]).says(0, &["task02-more"]);
    here(&["hint"]).says(0, &["HINT-OF-MINUS"]);
    here(&["check", "1"]).says(1, &["task01-sum: 0/2 faults caught"]);
}

/// A test that was lost later does not take away what was learned.
#[test]
fn a_task_that_was_complete_stays_so_and_a_check_says_what_was_lost() {
    let workspace = Workspace::new();
    workspace.exercise(SOLUTION);
    workspace.course(&["check", "sum"]).says(0, &["2/2"]);
    workspace.exercise(EXERCISE);

    let said = workspace.course(&["check", "sum"]);

    said.says(1, &["0/2 faults caught", "task01-sum was complete, and stays so"]);
    assert_eq!(workspace.read(".course/progress"), "task01-sum 0/2 complete\n");
    workspace.course(&[]).says(0, &["1 of 2 tasks complete", "You are at task02-more"]);
    workspace.course(&["check", "sum"]).says(1, &["stays so"]);
    workspace.course(&["solution", "sum"]).says(0, &["one_and_one_is_two"]);
}

#[test]
fn the_story_of_a_fault_is_told_once_it_is_caught() {
    let workspace = Workspace::new();
    workspace.exercise("#[test] fn adds() { assert_eq!(task01_sum::sum(1, 1), 2); }");

    let said = workspace.course(&["check", "sum"]);

    said.says(1, &["STORY-OF-MINUS", "1/2"]);
    said.hides("STORY-OF-WRAPS");
    workspace.course(&["check", "sum"]).hides("STORY");
    let said = workspace.course(&["story", "sum"]);
    said.says(0, &["fault 1: STORY-OF-MINUS", "fault 2: not caught yet"]);
}

#[test]
fn a_hint_is_given_for_the_fault_that_was_named() {
    let workspace = Workspace::new();

    workspace.course(&["hint", "--fault", "2"]).says(0, &["fault 2 breaks R2", "HINT-OF-WRAPS"]);
    workspace
        .course(&["hint", "--fault", "9"])
        .says(2, &["has no fault of this number", "to fix: cargo course faults task01-sum"]);
}

#[test]
fn a_missing_exercise_names_the_command_that_brings_it_back() {
    let workspace = Workspace::new();
    std::fs::remove_file(workspace.root().join("crates/task01-sum/tests/exercise.rs")).unwrap();

    workspace.course(&["check", "sum"]).says(
        2,
        &["crates/task01-sum/tests/exercise.rs is gone", "to fix: cargo course reset task01-sum"],
    );
}

#[test]
fn help_is_a_word_too() {
    let workspace = Workspace::new();

    workspace.course(&["help"]).says(0, &["Usage: cargo course", "check"]);
    workspace.course(&["help", "check"]).says(0, &["--fault <NUMBER>"]);
}

#[test]
fn cargo_runs_the_tests_of_the_task_that_is_named() {
    let workspace = Workspace::new();

    let said = workspace.course(&["test", "2"]);
    said.says(0, &["cargo test -p task02-more", "test one_and_one_is_two ... ok"]);
    said.hides("task01");
    workspace.course(&["test", "-p", "task01-sum", "--test", "exercise"]).says(
        0,
        &["cargo test -p task01-sum --test exercise", "test nothing_and_nothing_is_nothing ... ok"],
    );
    workspace.course(&["test", "--", "--list"]).says(0, &["cargo test --workspace -- --list"]);
}
