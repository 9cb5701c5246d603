//! `testenv sweep`: at a user's request, it removes what a killed run left, and leaves what may be
//! in use.

use crate::lab::{self, Lab, PROMISED};
use crate::p4_nothing_is_left::kill_with_its_reaper;

/// What `testenv sweep` says. (Its exit code also tells of what other runs left on this machine.)
fn sweep(lab: &Lab) -> String {
    let output = lab.command(env!("CARGO_BIN_EXE_testenv")).arg("sweep").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_a_killed_run_left_is_removed_and_named() {
    let lab = Lab::new();
    let mut test = lab.actor("native", "wait").env("TESTENV_RUN_ID", "killed").spawn().unwrap();
    assert_eq!(lab::line(&mut test), "native");
    kill_with_its_reaper(&lab, test);

    let said = sweep(&lab);

    let removed = format!("removed: run {}/killed (native server)\n", lab.base().display());
    assert!(said.contains(&removed), "{said}");
    assert_eq!(lab.left(), Vec::<String>::new());
}

#[test]
fn a_live_run_is_left_and_named() {
    let lab = Lab::new();
    let mut test = lab.actor("native", "wait").env("TESTENV_RUN_ID", "alive").spawn().unwrap();
    assert_eq!(lab::line(&mut test), "native");

    let said = sweep(&lab);

    let left = format!(
        "left: run {}/alive (native server): a live process takes part in the run\n",
        lab.base().display()
    );
    assert!(said.contains(&left), "{said}");
    assert!(lab.base().join("alive/server.json").exists());
    drop(test.stdin.take());
    test.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}

/// Without notes, only what it carries tells whose a container is. (The reaper of any other run may be quicker to remove it.)
#[cfg(feature = "integration")]
#[test]
fn a_container_whose_runs_directory_was_deleted_is_removed_and_a_live_runs_is_left() {
    let (lab, other) = (Lab::new(), Lab::new());
    let run = |lab: &Lab| {
        let mut test = lab.actor("docker", "wait").env("TESTENV_RUN_ID", "run").spawn().unwrap();
        assert_eq!(lab::line(&mut test), "docker");
        let token = std::fs::read_to_string(lab.base().join("run/token")).unwrap();
        (test, format!("container testenv-{token}-sleeper"))
    };
    let ((killed, of_the_killed), (mut alive, of_the_living)) = (run(&lab), run(&other));
    kill_with_its_reaper(&lab, killed);
    std::fs::remove_dir_all(lab.runs()).unwrap();

    let said = sweep(&lab);

    let left = format!("left: {of_the_living}: its run is not provably over\n");
    assert!(said.contains(&left), "{said}");
    assert!(!said.contains(&format!("left: {of_the_killed}")), "{said}");
    // Whoever was quicker may still be at it.
    testenv::wait::until_blocking(PROMISED, "the end of the container", || {
        let left = lab.left_but_files();
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    })
    .unwrap();
    drop(alive.stdin.take());
    alive.wait().unwrap();
    other.expect_nothing_left(PROMISED);
}
