//! Tests that run in a container, as those of many CI systems and development containers do.

use std::process::{Command, Stdio};

use testenv::{docker, images};

/// What a container says in which an actor plays a part, with the programs of this machine, and whether the part was played.
fn played(options: &[&str], part: &str) -> (bool, String) {
    let image = docker::runtime().block_on(docker::resolve(&images::POSTGRES)).unwrap().to_string();
    let actor = format!("{}:/actor:ro", env!("CARGO_BIN_EXE_testenv-actor"));
    let mut run = Command::new("docker");
    run.args(["run", "--rm", "--volume", "/usr:/usr:ro", "--volume", &actor, "--env", "PATH"]);
    run.args(options).args([
        "--env",
        "RUST_BACKTRACE=0",
        "--entrypoint",
        "/actor",
        &image,
        part,
        "pass",
    ]);
    let output = run.stdin(Stdio::null()).output().unwrap();
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
