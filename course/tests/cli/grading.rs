//! What `check` accepts, refuses and counts.

use crate::workspace::{EXERCISE, SOLUTION, Workspace};

#[test]
fn a_suite_that_catches_every_fault_completes_the_task() {
    let workspace = Workspace::new();
    workspace.exercise(SOLUTION);

    let said = workspace.course(&["check", "sum"]);

    said.says(
        0,
        &[
            "fault 1  caught    by one_and_one_is_two and the_largest_number_stays",
            "task01-sum: 2/2 faults caught",
            "next: cargo course next",
        ],
    );
    assert_eq!(workspace.read(".course/progress"), "task01-sum 2/2\n");
    assert_eq!(workspace.left_in_temp(), [""; 0]);
}

#[test]
fn a_surviving_fault_is_named_by_its_requirement_and_not_given_away() {
    let said = Workspace::new().course(&["check", "sum"]);

    said.says(
        1,
        &[
            "survived  1 of your tests ran this code, none noticed",
            "it breaks R1 `sum` adds.",
            "survived  no test of yours ran this code",
            "0/2 faults caught",
        ],
    );
    for secret in ["minus", "wraps", "STORY", "HINT"] {
        said.hides(secret);
    }
}

#[test]
fn a_test_that_asks_for_more_than_the_requirement_is_refused_by_a_variant() {
    let workspace = Workspace::new();
    workspace
        .exercise("#[test] fn small_letters() { assert_eq!(task01_sum::name(1), \"a number\"); }");

    let said = workspace.course(&["check", "sum"]);

    said.says(
        1,
        &[
            "accepted the right program",
            "refused  another right program, 1 of 1",
            "small_letters failed",
            "read R3 `name` names a number",
            "0/2 faults caught",
        ],
    );
    said.hides("STORY");
}

#[test]
fn a_failure_outside_the_learners_file_does_not_count() {
    let workspace = Workspace::new();
    workspace.exercise("#[test] fn adds() -> Result<(), String> { if task01_sum::sum(1, 1) == 2 { Ok(()) } else { Err(\"no\".into()) } }");

    let said = workspace.course(&["check", "sum"]);

    said.says(
        1,
        &[
            "crashed   adds failed without a panic",
            "does not count: use unwrap()",
            "0/2 faults caught",
        ],
    );
}

#[test]
fn a_test_that_ends_the_process_is_no_pass_and_no_catch() {
    let workspace = Workspace::new();
    workspace.exercise("#[test] fn leaves() { std::process::exit(0); }");
    workspace
        .course(&["check", "sum"])
        .says(1, &["ended with exit code 0 before it had a result", "0/2"]);

    workspace.exercise(
        "#[test] fn leaves() { if task01_sum::sum(1, 1) != 2 { std::process::abort(); } }",
    );
    workspace
        .course(&["check", "sum"])
        .says(1, &["crashed   the test process was ended by SIGABRT", "0/2"]);
}

#[test]
fn what_runs_no_test_is_refused() {
    let workspace = Workspace::new();
    for (suite, why) in [
        ("", "it has no test"),
        ("#[test] #[ignore] fn later() {}", "no test ran: 1 has #[ignore]"),
        ("#[test] fn never() { panic!(\"no\") }", "never failed (all at once)"),
    ] {
        workspace.exercise(suite);
        workspace
            .course(&["check", "sum"])
            .says(1, &["refused  the right program", why, "0/2 faults caught"]);
    }
}

#[test]
fn an_exercise_that_does_not_compile_is_shown_with_the_compilers_words() {
    let workspace = Workspace::new();
    workspace.course(&["check", "sum"]).says(1, &[]);
    workspace.exercise("#[test] fn a() { let x: u8 = \"text\"; }");

    let said = workspace.course(&["check", "sum"]);

    said.says(1, &["error[E0308]", "exercise.rs:1:30", "tests/exercise.rs does not compile"]);
    said.hides("Compiling");
}

#[test]
fn a_test_that_hangs_is_stopped_and_named() {
    let workspace = Workspace::new();
    workspace
        .exercise(&format!("{EXERCISE}\n#[test] fn hangs() {{ loop {{ std::thread::park(); }} }}"));

    let said = workspace.course(&["check", "sum", "--limit", "1"]);

    said.says(
        1,
        &[
            "refused  the right program",
            "hangs still ran at the time limit (all at once)",
            "deadline",
        ],
    );
    said.hides("nothing_and_nothing_is_nothing still");
}

#[test]
fn a_test_that_hangs_on_a_fault_has_not_caught_it() {
    let workspace = Workspace::new();
    workspace.exercise(
        "#[test] fn waits() { while task01_sum::sum(1, 1) != 2 { std::thread::park(); } }",
    );

    let said = workspace.course(&["check", "sum", "--limit", "1"]);

    said.says(
        1,
        &[
            "crashed   the tests hung: waits still ran at the time limit",
            "does not count: give every wait in your test a deadline",
        ],
    );
}

#[test]
fn a_process_left_behind_is_refused_by_name_and_ended() {
    let workspace = Workspace::new();
    let suite = "#[test] fn starts() { let _ = std::process::Command::new(\"sleep\").arg(\"4242.5\").spawn().unwrap(); assert_eq!(task01_sum::sum(0, 0), 0); }";
    workspace.exercise(suite);

    let said = workspace.course(&["check", "sum"]);

    said.says(1, &["left a process behind: sleep 4242.5"]);
}

#[test]
fn tests_that_disturb_each_other_are_refused() {
    let workspace = Workspace::new();
    let suite = "static FIRST: std::sync::OnceLock<()> = std::sync::OnceLock::new();\n\
        #[test] fn a_sets() { FIRST.set(()).unwrap(); }\n#[test] fn b_relies_on_a() { FIRST.wait(); }";
    workspace.exercise(suite);

    let said = workspace.course(&["check", "sum", "--limit", "2", "--order", "7"]);

    said.says(
        1,
        &["b_relies_on_a still ran at the time limit (each in a process of its own, order 7)"],
    );
}
