//! Bad input and a hostile environment: named, with the cure, and an exit code that scripts can use.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testenv::wait;

use crate::workspace::{SOLUTION, Workspace, begun, expect_ended};

#[test]
fn an_unknown_task_is_answered_with_the_nearest() {
    let workspace = Workspace::new();
    workspace
        .course(&["check", "som"])
        .says(2, &["there is no task `som`", "say task01-sum", "cargo course list"]);
    workspace.course(&["dev", "check", "task9"]).says(2, &["there is no task `task9`"]);
    workspace.course(&["chekc"]).says(2, &["check"]);
}

#[test]
fn a_malformed_faults_file_is_named_with_line_and_cure() {
    let workspace = Workspace::new();
    let faults = workspace
        .read("crates/task01-sum/faults.toml")
        .replace("hint = \"HINT-OF-WRAPS\"", "hnt = \"x\"");
    workspace.write("crates/task01-sum/faults.toml", &faults);

    for words in [&["check", "sum"][..], &["faults", "sum"], &["hint", "sum"]] {
        workspace
            .course(words)
            .says(2, &["crates/task01-sum/faults.toml:11: unknown field `hnt`", "to fix: "]);
    }
    workspace
        .course(&["dev", "check"])
        .says(1, &["faults.toml:11", "task01-sum: not sound", "task02-more: sound"]);
}

#[test]
fn a_course_that_cannot_be_written_loses_no_verdict() {
    let workspace = Workspace::new();
    workspace.exercise(SOLUTION);
    workspace
        .write(".course", "a file where the folder should be: no rights help, not even root's");

    let said = workspace.course(&["check", "sum"]);

    said.says(
        2,
        &[
            "task01-sum: 2/2 faults caught",
            "could not be kept",
            ".course/verdicts cannot be written",
            "to fix: ",
        ],
    );
}

#[test]
fn colour_is_for_terminals_and_never_with_no_color() {
    let workspace = Workspace::new();
    let escapes = |variables: &[(&str, &str)]| {
        let output = workspace.command(&["list"]).envs(variables.iter().copied()).output().unwrap();
        output.stdout.contains(&0x1b)
    };

    assert!(!escapes(&[]));
    assert!(escapes(&[("CLICOLOR_FORCE", "1")]));
    assert!(!escapes(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn a_killed_check_takes_its_tests_with_it() {
    let workspace = Workspace::new();
    let note = workspace.root().join("begun");
    let suite = format!(
        "#[test] fn hangs() {{ std::fs::write({note:?}, std::process::id().to_string()).unwrap(); loop {{ std::thread::park(); }} }}"
    );
    workspace.exercise(&suite);
    // A suite that was started in the background of a script inherits that SIGINT is ignored.
    const HEARING: &str = r#"$SIG{INT} = "DEFAULT"; exec @ARGV"#;
    let check = workspace.command(&["check", "sum"]);
    let mut check = workspace
        .started_by(&["perl", "-e", HEARING], &check)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let hanging = begun(&note);

    check.kill().unwrap();
    check.wait().unwrap();

    expect_ended(hanging);
    expect_no_scratch(&workspace);
}

fn has_scratch(workspace: &Workspace) -> bool {
    workspace.left_in_temp().iter().any(|name| name.starts_with("course-"))
}

fn expect_no_scratch(workspace: &Workspace) {
    wait::until_blocking(Duration::from_secs(10), "the end of the scratch directory", || {
        if has_scratch(workspace) { Err("it is there") } else { Ok(()) }
    })
    .unwrap();
}

#[test]
fn a_killed_definition_of_done_leaves_no_files() {
    let workspace = Workspace::new();
    let mut done = workspace.command(&["dev", "done"]);
    let mut done = done.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait::until_blocking(Duration::from_secs(60), "the scratch directory", || {
        if has_scratch(&workspace) { Ok(()) } else { Err("none") }
    })
    .unwrap();

    done.kill().unwrap();
    done.wait().unwrap();

    expect_no_scratch(&workspace);
}

#[test]
fn an_interrupted_check_ends_by_the_signal() {
    use std::os::unix::process::ExitStatusExt;
    let workspace = Workspace::new();
    workspace.exercise("#[test] fn hangs() { loop { std::thread::park(); } }");
    // A suite that was started in the background of a script inherits that SIGINT is ignored.
    const HEARING: &str = r#"$SIG{INT} = "DEFAULT"; exec @ARGV"#;
    let check = workspace.command(&["check", "sum"]);
    let mut check = workspace
        .started_by(&["perl", "-e", HEARING], &check)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait::until_blocking(Duration::from_secs(60), "the scratch directory", || {
        if workspace.left_in_temp().is_empty() { Err("none") } else { Ok(()) }
    })
    .unwrap();

    kill(Pid::from_raw(i32::try_from(check.id()).unwrap()), Signal::SIGINT).unwrap();

    assert_eq!(check.wait().unwrap().signal(), Some(Signal::SIGINT as i32));
}

#[test]
fn a_tier_that_a_task_does_not_have_is_refused() {
    Workspace::new()
        .course(&["check", "sum", "--integration"])
        .says(2, &["task01-sum has no real tier", "to fix: cargo course check task01-sum"]);
}
