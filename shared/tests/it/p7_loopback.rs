//! P7: nothing of ours listens beyond loopback.

use crate::lab::engine::{docker, labelled};
use crate::lab::{self, Lab, PROMISED, listeners};

#[test]
fn a_broker_in_a_container_listens_on_loopback_only() {
    let lab = Lab::new();
    let mut test = lab.actor("topic", "wait").spawn().unwrap();
    assert_ne!(lab::line(&mut test), "");

    let containers = labelled("container", "testenv.owner", &lab.base().display().to_string());
    let ids: Vec<&str> =
        containers.iter().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(ids.len(), 1, "{containers:?}");
    let ports = docker(&["port", ids[0]]);
    let hosts: Vec<&str> = ports
        .lines()
        .map(|line| line.rsplit_once("-> ").unwrap().1.rsplit_once(':').unwrap().0)
        .collect();
    assert_eq!(hosts, ["127.0.0.1"]);

    let port = ports.trim().rsplit_once(':').unwrap().1.to_owned();
    assert_eq!(listeners(&port), [format!("127.0.0.1:{port}")]);
    drop(test.stdin.take());
    test.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}
