//! P1 for Redis: sixteen processes that race for a cold start get one server.

use crate::lab::engine::started;
use crate::lab::{Lab, PROMISED, sixteen_race};

#[test]
pub(crate) fn sixteen_processes_racing_a_cold_start_start_one_container_of_redis() {
    let lab = Lab::new();

    let started = started(&lab, || {
        sixteen_race(&lab, "redis", &[("TESTENV_PROVIDER", "docker")]);
    });

    assert_eq!(started, ["redis"]);
    lab.expect_nothing_left(PROMISED);
}

#[test]
pub(crate) fn sixteen_processes_racing_a_cold_start_start_one_redis_server() {
    let lab = Lab::new();

    sixteen_race(&lab, "redis", &[("TESTENV_PROVIDER", "native")]);

    // The run is still in its grace.
    assert_eq!(lab.servers().len(), 1, "{:?}", lab.servers());
    lab.expect_nothing_left(PROMISED);
}
