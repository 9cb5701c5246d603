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

/// A check lets the servers start while the compiler works. The tests then find them.
#[test]
fn servers_that_are_asked_for_start_before_the_tests_and_are_the_ones_that_tests_use() {
    let lab = Lab::new();
    let of_the_run = |mut actor: Command| {
        actor.env("TESTENV_RUN_ID", "early").env("TESTENV_GRACE_MS", "60000");
        actor.stderr(std::process::Stdio::piped());
        actor
    };

    let started = started(&lab, || {
        let mut early = of_the_run(lab.actor("nothing", "panic"));
        early.env("TESTENV_START", SERVICES.join(","));
        // Tests that are run are run: what ends before them would read as passed.
        assert!(!early.output().unwrap().status.success(), "this actor fails");
        assert!(!lab.base().join("early/redis.json").exists());
        // Asked for its tests, it ends before `main`, where it would fail.
        passed_silently(early.arg("--list"));
        for service in ["postgres", "redis"] {
            passed_silently(&mut of_the_run(lab.actor(service, "pass")));
        }
    });

    assert_eq!(started, SERVICES);
    std::fs::write(lab.base().join("early/given-up"), "").unwrap();
    lab.expect_nothing_left(PROMISED);
}

fn passed_silently(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
