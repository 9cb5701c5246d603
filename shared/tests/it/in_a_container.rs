//! Tests that run in a container, as in many CI systems and development containers.

use std::process::{Command, Stdio};
use std::time::Duration;

use testenv::tools::docker;

use crate::lab::engine;

/// What a container says in which an actor plays a part, and whether the part was played.
fn played(options: &[&str], part: &str) -> (bool, String) {
    engine::job(options, &format!("/actor '{part}' pass"))
}

const NATIVE: [&str; 2] = ["--env", "TESTENV_PROVIDER=native"];

/// Docker gives a container 64 MB of it.
#[test]
fn a_native_postgres_lies_on_disk_where_memory_is_small() {
    let (passed, said) = played(&[&NATIVE[..], &["--shm-size", "64m"]].concat(), "postgres");

    assert!(passed, "{said}");
}

#[test]
fn a_native_postgres_lies_on_disk_where_memory_cannot_be_written() {
    let (passed, said) =
        played(&[&NATIVE[..], &["--tmpfs", "/dev/shm:ro,size=4g"]].concat(), "postgres");

    assert!(passed, "{said}");
}

#[test]
fn a_native_postgres_lies_on_disk_where_the_container_may_have_little_memory() {
    let options = ["--shm-size", "8g", "--memory", "512m"];
    let (passed, said) = played(&[&NATIVE[..], &options].concat(), "a hundred databases");

    assert!(passed, "{said}");
}

#[test]
fn where_there_is_room_nowhere_each_place_is_named_with_its_size() {
    let small = [
        "--tmpfs",
        "/dev/shm:size=64m",
        "--tmpfs",
        "/tmp:size=64m",
        "--tmpfs",
        "/var/tmp:size=16m",
    ];
    let (passed, said) = played(&[&NATIVE[..], &small].concat(), "postgres");

    assert!(!passed, "{said}");
    for words in ["/dev/shm: 64 MiB are free", "/tmp: 6", "/var/tmp: 1", "to fix: export TMPDIR="] {
        assert!(said.contains(words), "`{words}` in: {said}");
    }
}

const DOCKER: [&str; 2] = ["--env", "TESTENV_PROVIDER=docker"];

/// With the engine's socket, and what it starts in containers.
fn beside_servers<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [&engine::SOCKET[..], &DOCKER, options].concat()
}

/// A network that is removed with its test.
struct Network(String);

impl Network {
    fn new() -> Network {
        let name = format!("testenv-of-a-test-{}", std::process::id());
        engine::docker(&["network", "create", &name]);
        Network(name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        Command::new("docker").args(["network", "rm", &self.0]).stdout(Stdio::null()).status().ok();
    }
}

#[test]
fn tests_in_a_container_with_the_engines_socket_reach_servers_in_others() {
    let network = Network::new();
    for options in [&["--network", "bridge"], &["--network", &network.0], &["--network", "host"]] {
        for part in ["redis through proxies", "postgres", "bucket"] {
            let (passed, said) = played(&beside_servers(options), part);

            assert!(passed && said.contains("a container of"), "{options:?}: {said}");
        }
    }
}

/// A broker names its own address to its clients.
#[test]
fn tests_in_a_container_with_the_engines_socket_reach_a_broker() {
    let (passed, said) = played(&beside_servers(&[]), "round trip");

    assert!(passed, "{said}");
}

#[test]
fn tests_in_a_container_without_a_network_are_told() {
    let (passed, said) = played(&beside_servers(&["--network", "none"]), "redis");

    assert!(!passed && said.contains("has no network"), "{said}");
    assert!(said.contains("to fix: docker run --network bridge"), "{said}");
}

/// The process that would clean up ends with its container.
#[test]
fn the_servers_of_a_container_that_was_killed_are_removed_by_the_next_run_in_another() {
    let dir = tempfile::tempdir().unwrap();
    let id_of = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let job = |name: &str, script: &str| {
        let file = dir.path().join(name).display().to_string();
        engine::job(&beside_servers(&["--cidfile", &file]), script)
    };
    std::thread::scope(|scope| {
        scope.spawn(|| job("killed", "sleep 600 | /actor redis wait"));
        let servers = || engine::labelled("container", docker::JOB_LABEL, &id_of("killed"));
        wait_for("a server", || !id_of("killed").is_empty() && !servers().is_empty());
        let live = job("beside", "/actor redis pass");
        let beside_live = servers();
        engine::docker(&["kill", &id_of("killed")]);
        assert!(live.0 && !beside_live.is_empty(), "a live job's server was removed: {live:?}");
    });

    // A kernel gives the number of a process namespace again: with the same one, the next job would see that nobody is left.
    std::thread::scope(|scope| {
        scope.spawn(|| job("has the number", "sleep 600"));
        wait_for("another job", || !id_of("has the number").is_empty());
        let (passed, said) = job("next", "/actor redis pass");
        engine::docker(&["kill", &id_of("has the number")]);
        assert!(passed, "{said}");
    });

    assert_eq!(
        engine::labelled("container", docker::JOB_LABEL, &id_of("killed")),
        Vec::<String>::new()
    );
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let look = || is_there().then_some(()).ok_or("not yet");
    testenv::wait::until_blocking(Duration::from_secs(60), what, look).unwrap();
}
