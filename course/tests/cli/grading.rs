//! What `check` accepts, refuses and counts.

use std::path::Path;

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
fn a_failure_outside_the_learners_files_does_not_count() {
    let workspace = Workspace::new();
    workspace
        .exercise("#[test] fn adds() { task01_sum::fault::expect(task01_sum::sum(1, 1) == 2) }");
    let fault = workspace.read("crates/task01-sum/src/fault.rs");
    workspace.write(
        "crates/task01-sum/src/fault.rs",
        &format!("{fault}\npub fn expect(holds: bool) {{ assert!(holds); }}\n"),
    );

    let said = workspace.course(&["check", "sum"]);

    said.says(
        1,
        &[
            "crashed   adds failed in crates/task01-sum/src/fault.rs, not at a line of yours",
            "does not count: assert in the test",
            "0/2 faults caught",
        ],
    );
}

/// A helper of the tests is theirs, and `Err` fails a test as a panic does.
#[test]
fn a_failure_in_a_file_below_tests_counts_and_so_does_an_error() {
    let workspace = Workspace::new();
    workspace.exercise(
        "mod common; mod helpers;
        #[test] fn one_and_one() { common::expect_sum(1, 1, 2); }
        #[test] fn the_largest() { helpers::expect_sum(i32::MAX, 1, i32::MAX); }",
    );
    let helper =
        "pub fn expect_sum(a: i32, b: i32, sum: i32) { assert_eq!(task01_sum::sum(a, b), sum); }";
    workspace.write("crates/task01-sum/tests/common/mod.rs", helper);
    workspace.write("crates/task01-sum/tests/helpers.rs", helper);

    workspace.course(&["check", "sum"]).says(0, &["task01-sum: 2/2 faults caught"]);

    workspace.exercise(
        "#[test] fn adds() -> Result<(), String> { if task01_sum::sum(1, 1) == 2 { Ok(()) } else { Err(\"no\".into()) } }",
    );
    workspace
        .course(&["check", "sum"])
        .says(1, &["fault 1  caught    by adds", "1/2 faults caught"]);
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
            "hangs still ran after 1 s (all at once)",
            "give every wait a deadline, or the tests more time: --limit 2",
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
            "crashed   the tests hung: waits still ran after 1 s",
            "does not count: give every wait in your test a deadline",
        ],
    );
}

/// The others may wait for what a wrong program never does.
#[test]
fn a_run_on_a_fault_ends_soon_after_a_test_has_failed() {
    let workspace = Workspace::new();
    workspace.exercise(
        "#[test]\nfn quick() { assert_eq!(task01_sum::sum(1, 1), 2); }\n\
         #[test]\nfn waits() {\n\
         let files = std::env::temp_dir().join(std::process::id().to_string());\n\
         std::fs::create_dir(&files).unwrap();\n\
         while task01_sum::sum(2, 2) != 4 { std::thread::park(); }\n\
         std::fs::remove_dir(&files).unwrap();\n}\n",
    );

    let said = workspace.course(&["check", "sum", "--limit", "20"]);

    said.says(1, &["fault 1  caught    by quick\n", "1/2 faults caught"]);
    said.hides("waits");
    assert_eq!(workspace.left_in_temp(), [""; 0]);
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

    said.says(1, &["b_relies_on_a still ran after 2 s (each in a process of its own, order 7)"]);
}

/// A test that finds out which program it runs on need not look at what the program does.
#[test]
fn a_test_that_looks_at_everything_but_the_program_catches_nothing() {
    let adversarial = Path::new(env!("CARGO_MANIFEST_DIR")).join("adversarial");
    let shams = std::fs::read_dir(adversarial).unwrap().map(|file| file.unwrap().path());
    let mut tried = 0;
    for sham in shams {
        let text = std::fs::read_to_string(&sham).unwrap();
        let call = "// The subject is called here.";
        // One that fails by chance may fail at the right moment; without the call it cannot.
        if !text.contains(call) || sham.ends_with("fails_by_chance.rs") {
            continue;
        }
        tried += 1;
        let workspace = Workspace::new();
        workspace.exercise(&text.replace(call, "task01_sum::sum(i32::MAX, 1);"));
        let said = workspace.course(&["check", "sum"]);
        assert!(said.last_score("0/2"), "{}: {}", sham.display(), said.all);
        // What it has seen, a second check may find.
        let said = workspace.course(&["check", "sum"]);
        assert!(said.last_score("0/2"), "{}: {}", sham.display(), said.all);
    }
    assert_eq!(tried, 5);
}

#[test]
fn a_test_that_asks_the_macro_is_told_to_look_at_the_program() {
    let workspace = Workspace::new();
    workspace.exercise(
        "#[test] fn asks() {
            let faults = include_str!(\"../faults.toml\");
            assert!(!task01_sum::fault::is_on(faults, \"task01-sum\", \"minus\"));
        }",
    );

    workspace.course(&["check", "sum"]).says(
        1,
        &[
            "tests/exercise.rs asks whether a fault is on: a test looks at what the program does",
            "0/2 faults caught",
        ],
    );
}

#[test]
fn one_fault_is_tried_by_its_number() {
    let workspace = Workspace::new();
    workspace.exercise(SOLUTION);

    let said = workspace.course(&["check", "sum", "--fault", "2"]);

    said.says(0, &["fault 2  caught", "task01-sum: fault 2 is caught"]);
    said.hides("fault 1");
    workspace.course(&["list"]).says(0, &["> task01-sum       -  "]);
    workspace.course(&["check", "sum", "--fault", "3"]).says(
        2,
        &[
            "task01-sum has no fault of this number",
            "numbers 1 to 2",
            "to fix: cargo course faults",
        ],
    );
}
