//! P1: one server of a kind per run, under any runner, with no configuration.

use std::process::{Child, Command};

use crate::lab::engine::docker;
use crate::lab::{Lab, PROMISED};

/// The workspace's own command, so that the build of the suite that this test belongs to serves here too.
const SUITE: [&str; 3] = ["--workspace", "--features", "integration"];

/// Brokers that were started for runs of the lab while `work` ran, by the engine's own account.
fn brokers_started(lab: &Lab, work: impl FnOnce()) -> usize {
    let since = now();
    work();
    let until = now();
    let format = "{{index .Actor.Attributes \"testenv.owner\"}}";
    let events = docker(&[
        "events",
        "--since",
        &since,
        "--until",
        &until,
        "--filter",
        "event=start",
        "--filter",
        "label=testenv.service=kafka",
        "--format",
        format,
    ]);
    let mark = lab.runs().display().to_string();
    events.lines().filter(|owner| owner.ends_with(&mark)).count()
}

fn now() -> String {
    let output = Command::new("date").arg("+%s.%N").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn cargo(lab: &Lab) -> Command {
    let mut cargo = lab.command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo
}

fn passed_24(mut command: Command, words: &str) {
    let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(words), "{said}");
}

#[test]
fn twenty_four_tests_under_cargo_test_start_one_broker() {
    let lab = Lab::new();

    let started = brokers_started(&lab, || {
        let mut cargo = cargo(&lab);
        cargo.arg("test").args(SUITE).args(["--test", "many"]);
        passed_24(cargo, "24 passed");
    });

    assert_eq!(started, 1);
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn twenty_four_processes_under_nextest_start_one_broker() {
    let lab = Lab::new();

    let started = brokers_started(&lab, || {
        let mut cargo = cargo(&lab);
        cargo.args(["nextest", "run"]).args(SUITE).args(["--test", "many"]);
        passed_24(cargo, "24 passed");
    });

    assert_eq!(started, 1);
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn sixteen_processes_racing_a_cold_start_start_one_broker() {
    let lab = Lab::new();
    let racer = || lab.actor("topic", "pass").env("TESTENV_RUN_ID", "race").spawn().unwrap();

    let started = brokers_started(&lab, || {
        let racers: Vec<Child> = (0..16).map(|_| racer()).collect();
        let errors = racers
            .into_iter()
            .map(|racer| racer.wait_with_output().unwrap())
            .filter(|output| !output.status.success())
            .count();
        assert_eq!(errors, 0);
    });

    assert_eq!(started, 1);
    lab.expect_nothing_left(PROMISED);
}
