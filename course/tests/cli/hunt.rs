//! The hunt for a flake: one test, run until it fails, with the rate and the command that repeats it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use testenv::wait;

use crate::workspace::{Said, Workspace, begun, expect_ended};

/// Counts its rounds in a folder, a file each, and fails in every seventh. No two rounds at once make the same file.
fn flaky(workspace: &Workspace) -> (PathBuf, String) {
    let counter = workspace.root().join("rounds");
    std::fs::create_dir(&counter).unwrap();
    let suite = format!(
        r#"
mod shop {{
    #[test]
    fn the_seventh_round_fails() {{
        let folder = std::path::Path::new({counter:?});
        let is_new = |round: &u32| std::fs::File::create_new(folder.join(round.to_string())).is_ok();
        let round = (1_u32..).find(is_new).unwrap();
        assert_ne!(round % 7, 0, "seed {{}}", std::env::var("TEST_SEED").unwrap());
    }}
}}
#[test]
fn a_neighbour() {{}}
#[test]
fn a_neighbour_that_fails() {{ panic!("not me") }}
#[test]
fn hangs() {{ loop {{ std::thread::park(); }} }}
#[test]
fn aborts() {{ std::process::abort() }}
#[test] #[ignore = "to see what a hunt says"] fn ignored() {{}}
"#
    );
    (counter, suite)
}

fn hunted() -> (Workspace, PathBuf) {
    let workspace = Workspace::new();
    let (counter, suite) = flaky(&workspace);
    workspace.exercise(&suite);
    (workspace, counter)
}

#[test]
fn a_hunt_stops_at_the_first_failure_and_says_how_to_repeat_it() {
    let (workspace, counter) = hunted();

    let said = workspace.course(&["hunt", "the_seventh_round_fails", "--at-once", "1"]);

    said.says(
        1,
        &[
            "hunting shop::the_seventh_round_fails in -p task01-sum --test exercise: 200 rounds, 1 at once",
            "round 7: the test failed",
            "panicked at",
            "1 of 7: fails in 2.6 % to 51.3 % of all rounds (95 %)",
        ],
    );
    assert_eq!(std::fs::read_dir(counter).unwrap().count(), 7);
    let seed = said.out.lines().find_map(|line| line.strip_prefix("    seed   ")).unwrap();
    said.says(
        1,
        &[
            &format!("seed {seed}\n"),
            &format!("again  TEST_SEED={seed} cargo test -p task01-sum --test exercise -- --exact shop::the_seventh_round_fails"),
        ],
    );
    assert!(workspace.left_in_temp().iter().all(|name| !name.starts_with("course-")));
}

#[test]
fn the_seed_of_the_environment_is_behind_every_round() {
    let hunt = |seed: &str| {
        let (workspace, _) = hunted();
        let words = ["hunt", "the_seventh_round_fails", "--at-once", "1"];
        Said::of(&workspace.command(&words).env("TEST_SEED", seed).output().unwrap())
    };
    let seed =
        |said: &Said| said.out.lines().find(|line| line.contains("seed ")).map(str::to_owned);

    let (first, second, other) = (hunt("7"), hunt("7"), hunt("8"));

    assert!(seed(&first).is_some() && seed(&first) == seed(&second), "{}", first.out);
    assert_ne!(seed(&first), seed(&other));
    hunt("seven").says(2, &["TEST_SEED=\"seven\" is no seed", "unset TEST_SEED"]);
}

#[test]
fn with_all_the_rounds_go_on_and_the_rate_is_that_of_all() {
    let (workspace, _) = hunted();

    let said = workspace.course(&["hunt", "the_seventh_round_fails", "--rounds", "21", "--all"]);

    said.says(1, &["failed too, with seed ", "3 of 21: fails in 5.0 % to 34.6 % of all rounds"]);
}

#[test]
fn a_hunt_without_a_failure_says_how_rare_the_flake_must_be() {
    let (workspace, _) = hunted();

    let said = workspace.course(&["hunt", "a_neighbour", "-p", "task01-sum", "--rounds", "20"]);

    said.says(0, &["0 of 20: fails in less than 14.0 % of all rounds (95 %)"]);
}

#[test]
fn a_hang_and_a_crash_are_failures_that_say_so() {
    let (workspace, _) = hunted();

    let hunt = |test| workspace.course(&["hunt", test, "--rounds", "1", "--limit", "1"]);

    hunt("hangs").says(1, &["round 1: the test still ran after 1 s and was stopped", "1 of 1"]);
    hunt("aborts").says(1, &["round 1: the test process was ended by SIGABRT", "1 of 1"]);
}

#[test]
fn one_thread_runs_the_neighbours_too_and_counts_only_the_hunted_test() {
    let workspace = Workspace::new();
    let log = workspace.root().join("log");
    let logged = |test: &str, end: &str| {
        format!(
            "#[test] fn {test}() {{ use std::io::Write; writeln!(std::fs::File::options().create(true).append(true).open({log:?}).unwrap(), \"{test}\").unwrap(); {end} }}\n"
        )
    };
    workspace.exercise(&(logged("b_hunted", "") + &logged("a_bad", "panic!()") + &logged("c", "")));

    let said = workspace.course(&[
        "hunt",
        "b_hunted",
        "--rounds",
        "2",
        "--at-once",
        "1",
        "--mode",
        "one-thread",
        "--mode",
        "busy",
        "--mode",
        "slow-disk",
    ]);

    said.says(
        0,
        &[
            "2 rounds, 1 at once, one-thread, busy, slow-disk",
            "its neighbour a_bad failed in 2 rounds; not counted here",
            "0 of 2",
        ],
    );
    assert_eq!(std::fs::read_to_string(log).unwrap(), "a_bad\nb_hunted\nc\n".repeat(2));
}

#[test]
fn shuffled_runs_the_test_among_changing_neighbours() {
    let workspace = Workspace::new();
    // A test that fails only beside another one, as many flakes do.
    workspace.exercise(
        "static DIRTY: std::sync::Mutex<bool> = std::sync::Mutex::new(false);\n\
         #[test] fn a_dirties() { *DIRTY.lock().unwrap() = true; }\n\
         #[test] fn b_hunted() { assert!(!*DIRTY.lock().unwrap()); }\n",
    );
    let hunt = |modes: &[&str]| {
        workspace.course(
            &[&["hunt", "b_hunted", "--rounds", "40", "--at-once", "1"][..], modes].concat(),
        )
    };

    hunt(&[]).says(0, &["0 of 40"]);
    // Among 40 rounds, 2^-40 are all without the neighbour.
    hunt(&["--mode", "shuffled", "--mode", "one-thread"])
        .says(1, &["-- --exact b_hunted a_dirties --test-threads=1"]);
}

#[test]
fn a_test_that_cannot_be_hunted_is_named_with_the_cure() {
    let (workspace, _) = hunted();

    workspace.course(&["hunt", "a_naighbour", "-p", "task01-sum"]).says(
        2,
        &[
            "there is no test `a_naighbour` in task01-sum",
            "the nearest is a_neighbour",
            "to fix: cargo course hunt a_neighbour",
        ],
    );
    workspace.course(&["hunt", "one_and_one_is_two"]).says(
        2,
        &[
            "several tests are named `one_and_one_is_two`",
            "one_and_one_is_two in -p task01-sum --test solution",
            "one_and_one_is_two in -p task02-more --test solution",
        ],
    );
    workspace
        .course(&["hunt", "ignored", "--rounds", "1"])
        .says(2, &["`ignored` did not run: it is ignored"]);
    workspace.exercise("does not compile");
    workspace
        .course(&["hunt", "a_neighbour", "-p", "task01-sum"])
        .says(2, &["the tests do not compile"]);
}

#[test]
fn a_killed_hunt_takes_its_rounds_with_it() {
    let workspace = Workspace::new();
    let note = workspace.root().join("begun");
    workspace.exercise(&format!(
        "#[test] fn hangs() {{ std::fs::write({note:?}, std::process::id().to_string()).unwrap(); loop {{ std::thread::park(); }} }}"
    ));
    let mut hunt = workspace
        .command(&["hunt", "hangs", "--at-once", "1", "--mode", "busy", "--mode", "slow-disk"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let hanging = begun(&note);

    hunt.kill().unwrap();
    hunt.wait().unwrap();

    expect_ended(hanging);
    wait::until_blocking(Duration::from_secs(10), "the end of the scratch directory", || {
        let left = workspace.left_in_temp();
        if left.iter().any(|name| name.starts_with("course-")) {
            Err(left.join(", "))
        } else {
            Ok(())
        }
    })
    .unwrap();
}

#[test]
fn a_wrong_program_is_hunted_and_the_command_names_it() {
    let workspace = Workspace::new();
    let mut hunt = workspace.command(&[
        "hunt",
        "one_and_one_is_two",
        "-p",
        "task01-sum",
        "--test",
        "solution",
    ]);

    let said = Said::of(&hunt.env("COURSE_FAULT", "minus").output().unwrap());

    said.says(1, &["COURSE_FAULT=minus cargo test -p task01-sum --test solution -- --exact"]);
}
