//! Tests that run in a container, as those of many CI systems and development containers do.

use std::process::{Command, Stdio};

use testenv::{docker, images};

use crate::lab::engine;

/// Ends when the part was played and all other processes of the container have ended, the one that cleans up included.
const UNTIL_THE_END: &str = r#"/actor "$0" pass; status=$?; set -- /proc/[0-9]*
while [ $# -gt 1 ]; do sleep 0.1; set -- /proc/[0-9]*; done; exit $status"#;

/// What a container says in which an actor plays a part, with the programs of this machine, and whether the part was played.
fn played(options: &[&str], part: &str) -> (bool, String) {
    let image = docker::runtime().block_on(docker::resolve(&images::POSTGRES)).unwrap().to_string();
    let actor = format!("{}:/actor:ro", env!("CARGO_BIN_EXE_testenv-actor"));
    let mut run = Command::new("docker");
    run.args(["run", "--rm", "--volume", "/usr:/usr:ro", "--volume", &actor, "--env", "PATH"]);
    run.args(options).args(["--env", "RUST_BACKTRACE=0", "--entrypoint", "/bin/sh", &image]);
    let output = run.args(["-c", UNTIL_THE_END, part]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
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

const SOCKET: [&str; 4] =
    ["--volume", "/var/run/docker.sock:/var/run/docker.sock", "--env", "TESTENV_PROVIDER=docker"];

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
        for part in ["redis", "postgres"] {
            let (passed, said) = played(&[&SOCKET[..], options].concat(), part);

            assert!(passed && said.contains("a container of"), "{options:?}: {said}");
        }
    }
}

/// A broker names its own address to its clients.
#[cfg(feature = "kafka")]
#[test]
fn tests_in_a_container_with_the_engines_socket_reach_a_broker() {
    let (passed, said) = played(&SOCKET, "round trip");

    assert!(passed, "{said}");
}

#[test]
fn tests_in_a_container_without_a_network_are_told() {
    let (passed, said) = played(&[&SOCKET[..], &["--network", "none"]].concat(), "redis");

    assert!(!passed && said.contains("has no network"), "{said}");
    assert!(said.contains("to fix: docker run --network bridge"), "{said}");
}
