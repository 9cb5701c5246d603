//! P8: everything missing is reported within two seconds, with the cure.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::lab::{Lab, PROMISED, complaint, expect_complaint};

fn expect(vars: &[(&str, &str)], words: &[&str]) {
    expect_complaint("topic", vars, words);
}

#[test]
pub(crate) fn a_url_that_leads_nowhere() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();

    expect(
        &[("TESTENV_KAFKA_BROKERS", &free)],
        &["TESTENV_KAFKA_BROKERS", &free, "refused", "to fix: correct TESTENV_KAFKA_BROKERS"],
    );
}

#[test]
fn a_url_that_is_no_address() {
    expect(
        &[("TESTENV_KAFKA_BROKERS", "nonsense:nowhere")],
        &["the port of `nonsense` is no number", "to fix: correct TESTENV_KAFKA_BROKERS"],
    );
}

#[test]
pub(crate) fn a_url_whose_server_is_no_broker() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap().to_string();

    expect(
        &[("TESTENV_KAFKA_BROKERS", &address)],
        &["no Kafka server answers at", "to fix: correct TESTENV_KAFKA_BROKERS"],
    );
}

#[test]
fn neither_url_nor_docker_nor_a_native_way() {
    let host = "unix:///nonexistent/docker.sock";

    expect(
        &[("DOCKER_HOST", host)],
        &[
            "TESTENV_KAFKA_BROKERS: not set",
            host,
            "No such file",
            "no native way",
            "asked for at: shared/tests/it/actor",
            &format!("to fix: correct DOCKER_HOST={host}, or `unset DOCKER_HOST`"),
        ],
    );
}

/// The programs of this machine serve then, and the line that says so says why.
#[test]
fn an_engine_that_is_named_and_does_not_answer() {
    let host = "tcp://127.0.0.1:9";
    let lab = Lab::new();

    let mut served = lab.actor("redis", "pass");
    served.env_remove("TESTENV_PROVIDER").env("DOCKER_HOST", host).stderr(Stdio::piped());
    let served = served.output().unwrap();

    let said = String::from_utf8(served.stderr).unwrap();
    assert!(served.status.success() && said.contains("redis-server (no Docker engine: "), "{said}");
    assert!(said.contains(&format!("at {host}; TESTENV_REDIS_URL is not set)")), "{said}");
    lab.expect_nothing_left(PROMISED);
    for vars in [
        &[("DOCKER_HOST", host), ("TESTENV_PROVIDER", "docker")][..],
        &[("DOCKER_CONTEXT", "nowhere"), ("TESTENV_PROVIDER", "docker")],
    ] {
        let (said, _) = complaint(&Lab::new(), "redis", vars);
        let (var, value) = vars[0];
        assert!(said.contains(&format!("correct {var}={value}, or `unset {var}`")), "{said}");
        assert!(!said.contains("setup --install"), "{said}");
    }
}

#[test]
fn a_docker_socket_that_nobody_serves() {
    let lab = tempfile::tempdir().unwrap();
    let path = lab.path().join("docker.sock");
    drop(UnixListener::bind(&path).unwrap());

    expect(
        &[("DOCKER_HOST", &format!("unix://{}", path.display()))],
        &["refused", "to fix: correct DOCKER_HOST="],
    );
}

#[test]
fn a_docker_socket_that_hangs() {
    let lab = tempfile::tempdir().unwrap();
    let path = lab.path().join("docker.sock");
    let _hangs = UnixListener::bind(&path).unwrap();

    expect(
        &[("DOCKER_HOST", &format!("unix://{}", path.display()))],
        &["to fix: correct DOCKER_HOST="],
    );
}

#[test]
fn an_engine_behind_tls_without_the_feature() {
    for engine in [
        &[("DOCKER_HOST", "tcp://127.0.0.1:9"), ("DOCKER_TLS_VERIFY", "1")][..],
        &[("DOCKER_HOST", "https://127.0.0.1:9")],
    ] {
        expect(engine, &["built without TLS", "add the feature `tls`", "to fix: "]);
    }
}

#[test]
fn servers_behind_tls_without_the_feature() {
    let tls = "feature `tls`";
    for (part, var, url) in [
        ("redis", "TESTENV_REDIS_URL", "rediss://localhost"),
        ("bucket", "TESTENV_S3_ENDPOINT", "https://localhost"),
    ] {
        let correct = format!("to fix: correct {var}");
        expect_complaint(part, &[(var, url)], &["built without TLS", tls, &correct]);
    }
    // One that speaks TLS, and nothing else.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://me@{}/x?sslmode=require", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            client.read_exact(&mut [0; 8]).and_then(|()| client.write_all(b"S")).ok();
        }
    });
    let words = ["to fix: add the harness's feature `tls`", "to fix: correct TESTENV_POSTGRES_URL"];
    expect_complaint("postgres", &[("TESTENV_POSTGRES_URL", &url)], &words);
}

#[test]
fn an_image_that_no_registry_has() {
    let image = "127.0.0.1:9/nobody/has-this:1";

    expect(
        &[("TESTENV_KAFKA_IMAGE", image)],
        &[image, "docker pull", "to fix: correct or unset TESTENV_KAFKA_IMAGE"],
    );
}

#[test]
fn a_way_that_does_not_exist() {
    expect(
        &[("TESTENV_PROVIDER", "podman")],
        &["TESTENV_PROVIDER=podman", "to fix: export TESTENV_PROVIDER=docker"],
    );
}

#[test]
fn a_directory_of_runs_that_cannot_be_made() {
    let lab = Lab::new();

    let (said, _) = complaint(&lab, "topic", &[("TESTENV_DIR", "/proc/nothing/here")]);

    assert!(
        said.contains("/proc/nothing/here") && said.contains("to fix: export TESTENV_DIR="),
        "{said}"
    );
}
