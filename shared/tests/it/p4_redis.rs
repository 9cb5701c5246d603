//! P4 for Redis: nothing is left, however the run ends, and on a given server nothing of others is touched.

use std::collections::BTreeMap;
use std::process::Child;

use crate::lab::{self, Lab, PROMISED};
use crate::p4_nothing_is_left::{
    every_kind_of_end, goes_without_its_directory, is_swept_without_a_note, kill_with_its_keeper,
};

/// A server that somebody else runs: sixteen databases, a user, a password with a space. To the tests that visit it, its lab is another machine.
pub(crate) struct Given {
    lab: Lab,
    owner: Child,
    pub(crate) url: String,
}

impl Given {
    pub(crate) fn start() -> Given {
        let lab = Lab::new();
        let mut owner = lab.actor("given redis", "wait");
        // No other process of its run will come.
        let mut owner = owner.env("TESTENV_GRACE_MS", "100").spawn().unwrap();
        let url = lab::line(&mut owner);
        Given { lab, owner, url }
    }

    pub(crate) fn end(mut self) {
        drop(self.owner.stdin.take());
        self.owner.wait().unwrap();
        self.lab.expect_nothing_left(PROMISED);
    }

    pub(crate) fn open(&self, number: u32) -> redis::Connection {
        let client = redis::Client::open(format!("{}/{number}", self.url)).unwrap();
        client.get_connection().unwrap()
    }

    pub(crate) fn write(&self, number: u32, key: &str) {
        redis::cmd("SET").arg(key).arg("").exec(&mut self.open(number)).unwrap();
    }

    /// All keys of the server, by the number of their database.
    pub(crate) fn keys(&self) -> BTreeMap<u32, Vec<String>> {
        let keys = |number| redis::cmd("KEYS").arg("*").query(&mut self.open(number)).unwrap();
        let all = (0..16).map(|number| (number, keys(number)));
        all.filter(|(_, keys): &(u32, Vec<String>)| !keys.is_empty()).collect()
    }
}

#[test]
fn nothing_is_left_of_a_redis_in_a_container_after_every_kind_of_end() {
    every_kind_of_end(5, "redis", &[("TESTENV_PROVIDER", "docker".into())]);
}

#[test]
fn nothing_is_left_of_a_native_redis_after_every_kind_of_end() {
    every_kind_of_end(6, "redis", &[("TESTENV_PROVIDER", "native".into())]);
}

#[test]
fn no_key_of_ours_is_left_on_a_given_redis_after_every_kind_of_end() {
    let given = Given::start();
    for number in [0, 1, 7] {
        given.write(number, "theirs");
    }
    let theirs = given.keys();

    every_kind_of_end(7, "redis", &[("TESTENV_REDIS_URL", given.url.clone())]);

    assert_eq!(given.keys(), theirs);
    given.end();
}

#[test]
fn what_a_killed_keeper_left_on_a_given_redis_is_swept_by_the_next_run() {
    let given = Given::start();
    let lab = Lab::new();
    let mut killed = lab
        .actor("redis", "wait")
        .envs([("TESTENV_RUN_ID", "first"), ("TESTENV_REDIS_URL", &given.url)])
        .spawn()
        .unwrap();
    assert_eq!(lab::line(&mut killed), "redis");
    kill_with_its_keeper(&lab, killed);
    assert_ne!(given.keys(), BTreeMap::new());

    let next = lab.actor("nothing", "pass").env("TESTENV_RUN_ID", "second").status().unwrap();

    assert!(next.success());
    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.keys(), BTreeMap::new());
    given.end();
}

#[test]
fn the_databases_of_a_machine_that_died_are_leased_again() {
    let given = Given::start();
    // As a run leaves it whose sign of life has expired.
    for number in 1..16 {
        let lease = redis::cmd("SET").arg(format!("testenv:lease:{number}")).arg("gone").to_owned();
        lease.exec(&mut given.open(0)).unwrap();
        given.write(number, "what the dead run wrote");
    }
    let lab = Lab::new();

    let alive = lab.actor("crowd", "1").env("TESTENV_REDIS_URL", &given.url).status().unwrap();

    assert!(alive.success());
    lab.expect_nothing_left(PROMISED);
    // One database was needed.
    assert_eq!(given.keys().len(), 1 + 14);
    given.end();
}

const NATIVE: &[(&str, &str)] = &[("TESTENV_PROVIDER", "native")];

#[test]
fn a_native_redis_goes_although_somebody_deleted_the_runs_directory() {
    goes_without_its_directory("redis", NATIVE);
}

#[test]
fn a_native_redis_whose_keeper_and_directory_are_gone_is_swept_by_the_next_run() {
    is_swept_without_a_note("redis", NATIVE);
}
