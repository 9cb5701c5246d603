//! P4 for Redis: nothing is left, however the run ends. On a given server, nothing that belongs to
//! others is touched.

use std::collections::BTreeMap;
use std::process::Child;

use crate::lab::{self, Lab, PROMISED};
use crate::p4_nothing_is_left::{
    every_kind_of_end, goes_without_its_directory, is_swept_without_a_note, kill_with_its_reaper,
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
pub(crate) fn nothing_is_left_of_a_redis_in_a_container_after_every_kind_of_end() {
    every_kind_of_end(5, "redis", &[("TESTENV_PROVIDER", "docker".into())]);
}

#[test]
pub(crate) fn nothing_is_left_of_a_native_redis_after_every_kind_of_end() {
    every_kind_of_end(6, "redis", &[("TESTENV_PROVIDER", "native".into())]);
}

#[test]
pub(crate) fn no_key_of_ours_is_left_on_a_given_redis_after_every_kind_of_end() {
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
fn what_a_killed_reaper_left_on_a_given_redis_is_swept_by_the_next_run() {
    let given = Given::start();
    let lab = Lab::new();
    let mut killed = lab
        .actor("redis", "wait")
        .envs([("TESTENV_RUN_ID", "first"), ("TESTENV_REDIS_URL", &given.url)])
        .spawn()
        .unwrap();
    assert_eq!(lab::line(&mut killed), "redis");
    kill_with_its_reaper(&lab, killed);
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
        let noted = format!("testenv:keys:{number}");
        let note = redis::cmd("SADD").arg(noted).arg("what the dead run wrote").to_owned();
        note.exec(&mut given.open(0)).unwrap();
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
fn a_native_redis_whose_reaper_and_directory_are_gone_is_swept_by_the_next_run() {
    is_swept_without_a_note("redis", NATIVE);
}

/// The number of the database that holds what the actor `redis` writes.
fn leased(given: &Given) -> u32 {
    let keys = given.keys();
    let leased = keys.iter().find(|(number, keys)| **number > 0 && keys == &&["written by"]);
    *leased.unwrap_or_else(|| panic!("{keys:?}")).0
}

/// An application that takes a database for its own, which was empty a moment ago.
#[test]
pub(crate) fn what_an_application_writes_into_a_leased_database_stays_after_every_kind_of_end() {
    use nix::sys::signal::{Signal, kill};
    let given = Given::start();
    let mut theirs = BTreeMap::new();
    for end in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
        let lab = Lab::new();
        let mut test = lab.actor("redis", "wait");
        let mut test = test.env("TESTENV_REDIS_URL", &given.url).spawn().unwrap();
        assert_eq!(lab::line(&mut test), "redis");
        let number = leased(&given);

        given.write(number, "theirs");
        if let Some(signal) = end {
            kill(nix::unistd::Pid::from_raw(test.id().cast_signed()), signal).unwrap();
        }
        drop(test.stdin.take());
        test.wait().unwrap();

        lab.expect_nothing_left(PROMISED);
        theirs.insert(number, vec!["theirs".to_owned()]);
        assert_eq!(given.keys(), theirs, "{end:?}");
    }
    assert_eq!(theirs.len(), 3, "a database that somebody took is leased no more");
    // Nor does a later run's test see them.
    let lab = Lab::new();
    let crowd = lab.actor("crowd", "20").env("TESTENV_REDIS_URL", &given.url).status().unwrap();
    assert!(crowd.success());
    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.keys(), theirs);
    given.end();
}

#[test]
fn a_test_of_the_same_run_does_not_meet_what_an_application_wrote() {
    let given = Given::start();
    let lab = Lab::new();
    let vars = [("TESTENV_REDIS_URL", given.url.as_str()), ("TESTENV_RUN_ID", "same")];
    let mut runner = lab.under_cargo("nothing", "pass", "read -r line").envs(vars).spawn().unwrap();
    assert_eq!(lab::line(&mut runner), "nothing");
    let mut test = lab.actor("redis", "wait").envs(vars).spawn().unwrap();
    assert_eq!(lab::line(&mut test), "redis");
    let number = leased(&given);
    given.write(number, "theirs");
    drop(test.stdin.take());
    test.wait().unwrap();

    // Each finds its database empty, or fails.
    let crowd = lab.actor("crowd", "14").envs(vars).status().unwrap();

    assert!(crowd.success());
    drop(runner.stdin.take());
    runner.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.keys(), BTreeMap::from([(number, vec!["theirs".to_owned()])]));
    given.end();
}

#[test]
fn keys_that_are_written_in_any_way_are_removed() {
    let given = Given::start();
    let lab = Lab::new();
    let mut test = lab.actor("redis in many ways", "wait");
    let mut test = test.env("TESTENV_REDIS_URL", &given.url).spawn().unwrap();
    assert_eq!(lab::line(&mut test), "redis in many ways");
    let made: u64 = redis::cmd("DBSIZE").query(&mut given.open(1)).unwrap();
    assert_eq!(made, 15);

    drop(test.stdin.take());
    test.wait().unwrap();

    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.keys(), BTreeMap::new());
    given.end();
}

/// A server that ends with its test, however that one ends.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().ok(); // it has ended before
        self.0.wait().ok();
    }
}

/// Started again with fewer databases, the server refuses the number: whatever follows that refusal would meet the keys of database 0.
#[test]
fn a_number_that_cannot_be_selected_any_more_costs_database_0_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let serve = |databases: &str| {
        let mut server = std::process::Command::new("redis-server");
        let settings = ["--save", "", "--bind", "127.0.0.1", "--databases", databases, "--port"];
        server.args(settings).arg(port.to_string()).arg("--dir").arg(dir.path());
        let server = server.stdout(std::process::Stdio::null()).spawn().unwrap();
        let url = format!("redis://127.0.0.1:{port}");
        let open = || redis::Client::open(url.as_str())?.get_connection();
        let open = testenv::wait::until_blocking(PROMISED, "a redis-server", open).unwrap();
        (Served(server), open)
    };
    let (server, mut zero) = serve("16");
    let ask = |command: &[&str]| redis::cmd(command[0]).arg(&command[1..]).to_owned();
    for number in 1..9 {
        redis::pipe()
            .cmd("SELECT")
            .arg(number)
            .cmd("SET")
            .arg("theirs")
            .arg("")
            .exec(&mut zero)
            .unwrap();
    }
    redis::pipe().cmd("SELECT").arg(0).cmd("SET").arg("theirs").arg("").exec(&mut zero).unwrap();
    let lab = Lab::new();
    let mut test = lab.actor("redis", "wait");
    let mut test =
        test.env("TESTENV_REDIS_URL", format!("redis://127.0.0.1:{port}")).spawn().unwrap();
    assert_eq!(lab::line(&mut test), "redis");

    ask(&["SWAPDB", "9", "15"]).exec(&mut zero).unwrap();
    redis::pipe()
        .cmd("SELECT")
        .arg(15)
        .cmd("FLUSHDB")
        .cmd("SELECT")
        .arg(0)
        .cmd("SAVE")
        .exec(&mut zero)
        .unwrap();
    drop(server);
    let (_server, mut zero) = serve("9");
    drop(test.stdin.take());
    test.wait().unwrap();

    lab.expect_nothing_left(PROMISED);
    let left: Vec<String> = ask(&["KEYS", "*"]).query(&mut zero).unwrap();
    assert_eq!(left, ["theirs"]);
}
