//! P7 for Redis: it listens on loopback only, and lets nobody in who has not its password.

use crate::lab::{self, Lab, PROMISED, listeners};

fn is_closed(way: &str) {
    let lab = Lab::new();
    let mut test = lab
        .actor("redis", "wait")
        .envs([("TESTENV_PROVIDER", way), ("TESTENV_RUN_ID", "closed")])
        .spawn()
        .unwrap();
    assert_eq!(lab::line(&mut test), "redis");

    let server = std::fs::read_to_string(lab.base().join("closed/redis.json")).unwrap();
    let port = server.rsplit_once(':').unwrap().1;
    assert_eq!(listeners(port), [format!("127.0.0.1:{port}")]);
    let stranger = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let answer = redis::cmd("DBSIZE").exec(&mut stranger.get_connection().unwrap());
    assert!(answer.unwrap_err().to_string().contains("Authentication required"));

    drop(test.stdin.take());
    test.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_redis_in_a_container_is_closed_to_others() {
    is_closed("docker");
}

#[test]
fn a_native_redis_is_closed_to_others() {
    is_closed("native");
}
