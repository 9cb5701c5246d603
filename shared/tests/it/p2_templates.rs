//! P2: migrations run once per content, on one server per run (P1), in any race.

use crate::lab::engine::started;
use crate::lab::{Lab, PROMISED, sixteen_race};

#[test]
pub(crate) fn sixteen_processes_racing_a_cold_start_and_an_unbuilt_template_build_one_of_each() {
    let lab = Lab::new();

    let started = started(&lab, || sixteen_race(&lab, "postgres", &[]));

    assert_eq!(started, ["postgres"]);
    lab.expect_nothing_left(PROMISED);
}
