//! Containers of a run reach each other, and the network over which they do goes with the run.

use crate::lab::engine::{docker, labelled};
use crate::lab::{Lab, PROMISED, line};
use crate::p4_nothing_is_left::kill_with_its_reaper;

/// What a server at `address` answers to PostgreSQL's question for TLS, asked from a container.
fn asked_from(container: &str, address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap();
    let ask = format!(
        r"exec 3<>/dev/tcp/{host}/{port} && printf '\0\0\0\x08\x04\xd2\x16\x2f' >&3 && head -c 1 <&3"
    );
    docker(&["exec", container, "bash", "-c", &ask])
}

/// A run with a database, whose server is asked from another container.
fn tries(lab: &Lab, vars: &[(&str, &str)]) {
    let mut test = lab.actor("inside", "wait").envs(vars.iter().copied()).spawn().unwrap();
    let said = line(&mut test);
    let (client, address) = said.split_once(' ').expect(&said);

    assert_eq!(asked_from(client, address), "N", "{client} {address}");
    let owner = lab.base().display().to_string();
    assert_eq!(labelled("network", "testenv.owner", &owner).len(), 1);

    drop(test.stdin.take());
    assert!(test.wait().unwrap().success());
}

#[test]
fn a_container_of_the_run_reaches_a_server_of_the_run() {
    let lab = Lab::new();

    tries(&lab, &[]);

    lab.expect_nothing_left(PROMISED);
}

#[test]
fn the_network_of_a_run_goes_although_a_kept_server_was_connected_to_it() {
    let (lab, cache) = (Lab::new(), tempfile::tempdir().unwrap());
    let cache = cache.path().to_str().unwrap();
    let vars = [("TESTENV_REUSE", "1"), ("TESTENV_CACHE_DIR", cache), ("CI", "")];

    tries(&lab, &vars);
    lab.expect_nothing_left_but(PROMISED, "testenv.reuse");
    tries(&lab, &vars);
    lab.expect_nothing_left_but(PROMISED, "testenv.reuse");

    let owner = lab.base().display().to_string();
    for kept in labelled("container", "testenv.owner", &owner) {
        docker(&["rm", "--force", "--volumes", kept.split_whitespace().nth(1).unwrap()]);
    }
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_process_of_this_machine_cannot_be_reached_from_a_container() {
    let lab = Lab::new();
    let mut test = lab.actor("inside", "pass");
    test.env("TESTENV_PROVIDER", "native").stderr(std::process::Stdio::piped());

    let said = String::from_utf8(test.output().unwrap().stderr).unwrap();

    assert!(said.contains("no container can reach a server at 127.0.0.1:"), "{said}");
    assert!(said.contains("export TESTENV_PROVIDER=docker"), "{said}");
    lab.expect_nothing_left(PROMISED);
}

/// The network is all that is left: the run's own container and its directory were removed by somebody.
#[test]
fn the_network_of_a_killed_run_is_swept_with_nothing_else_left_of_it() {
    let (lab, cache) = (Lab::new(), tempfile::tempdir().unwrap());
    let reuse =
        [("TESTENV_REUSE", "1"), ("TESTENV_CACHE_DIR", cache.path().to_str().unwrap()), ("CI", "")];
    let mut test = lab.actor("inside", "wait");
    let mut test = test.envs(reuse).env("TESTENV_RUN_ID", "gone").spawn().unwrap();
    let said = line(&mut test);
    docker(&["rm", "--force", said.split(' ').next().unwrap()]);
    kill_with_its_reaper(&lab, test);
    std::fs::remove_dir_all(lab.base().join("gone")).unwrap();

    assert!(lab.actor("docker", "pass").status().unwrap().success());

    lab.expect_nothing_left_but(PROMISED, "testenv.reuse");
    let owner = lab.base().display().to_string();
    for kept in labelled("container", "testenv.owner", &owner) {
        docker(&["rm", "--force", "--volumes", kept.split_whitespace().nth(1).unwrap()]);
    }
    lab.expect_nothing_left(PROMISED);
}
