//! P1: one server of a kind per run, under any runner, with no configuration.

use std::process::Command;

use crate::lab::engine::started;
use crate::lab::{Lab, PROMISED, sixteen_race};

/// The workspace's own command, so that the build of the suite that this test belongs to serves here too.
const SUITE: [&str; 3] = ["--workspace", "--features", "integration"];

fn cargo(lab: &Lab) -> Command {
    let mut cargo = lab.command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    cargo
}

fn passed(mut command: Command, words: &[&str]) {
    let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let all = words.iter().all(|words| said.contains(words));
    assert!(output.status.success() && all, "{said}");
}

/// 25 tests that want a broker, and 40 of each service.
const TESTS: [&str; 4] = ["--test", "many", "--test", "many_services"];

const SERVICES: [&str; 5] = ["kafka", "postgres", "redis", "s3", "toxiproxy"];

#[test]
pub(crate) fn two_hundred_tests_under_cargo_test_start_one_server_of_a_kind() {
    let lab = Lab::new();

    let started = started(&lab, || {
        let mut cargo = cargo(&lab);
        cargo.arg("test").args(SUITE).args(TESTS);
        passed(cargo, &["25 passed", "200 passed"]);
    });

    assert_eq!(started, SERVICES);
    lab.expect_nothing_left(PROMISED);
}

#[test]
pub(crate) fn two_hundred_processes_under_nextest_start_one_server_of_a_kind() {
    let lab = Lab::new();

    let started = started(&lab, || {
        let mut cargo = cargo(&lab);
        cargo.args(["nextest", "run"]).args(SUITE).args(TESTS);
        passed(cargo, &["225 passed"]);
    });

    assert_eq!(started, SERVICES);
    lab.expect_nothing_left(PROMISED);
}

#[test]
pub(crate) fn sixteen_processes_racing_a_cold_start_start_one_broker() {
    let lab = Lab::new();

    let started = started(&lab, || sixteen_race(&lab, "topic", &[]));

    assert_eq!(started, ["kafka"]);
    lab.expect_nothing_left(PROMISED);
}
