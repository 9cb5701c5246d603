//! P5: a live run is never reaped; two runs on one machine do not touch each other.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use testenv::seed::{self, rand::RngExt};

use crate::lab::{self, Lab, PROMISED};

const AT_ONCE: usize = 8;

/// The servers that the members of one run met, when members join and leave at random with gaps of up to `gap_ms`.
fn servers_met(lab: &Lab, joins: usize, grace_ms: u64, gap_ms: u64) -> HashSet<String> {
    let mut random = seed::stream();
    let mut members = Vec::new();
    let mut met = HashSet::new();
    for _ in 0..joins {
        if members.len() == AT_ONCE || random.random_ratio(1, 4) {
            met.extend(members.drain(..).map(server_of));
            std::thread::park_timeout(Duration::from_millis(random.random_range(0..gap_ms)));
        }
        let stay = random.random_range(0..80).to_string();
        let mut member = lab.actor("member", &stay);
        member
            .env("TESTENV_RUN_ID", "joins and leaves")
            .env("TESTENV_GRACE_MS", grace_ms.to_string());
        members.push(member.spawn().unwrap());
    }
    met.extend(members.into_iter().map(server_of));
    met
}

fn server_of(member: std::process::Child) -> String {
    let output = member.wait_with_output().unwrap();
    assert!(output.status.success(), "a member met the end of its server");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
pub(crate) fn joins_and_leaves_at_random_meet_one_server() {
    let lab = Lab::new();

    let met = servers_met(&lab, lab::load(40, 1000), 2000, 300);

    assert_eq!(met.len(), 1, "{met:?}");
    lab.expect_nothing_left(PROMISED);
}

/// What shows that the test above can fail: with no grace, a gap ends the run.
#[test]
fn without_a_grace_gaps_between_processes_end_the_run() {
    let lab = Lab::new();

    let met = servers_met(&lab, 30, 0, 300);

    assert!(met.len() > 1, "{met:?}");
    lab.expect_nothing_left(PROMISED);
}

#[test]
pub(crate) fn the_end_of_one_run_does_not_touch_another() {
    let lab = Lab::new();
    let mut stays = lab.actor("native", "wait").env("TESTENV_RUN_ID", "stays").spawn().unwrap();
    let mut ends = lab.actor("native", "pass").env("TESTENV_RUN_ID", "ends").spawn().unwrap();
    assert_eq!((lab::line(&mut stays), lab::line(&mut ends)), ("native".into(), "native".into()));
    let address = std::fs::read_to_string(lab.base().join("stays/server.addr")).unwrap();

    ends.wait().unwrap();
    testenv::wait::until_blocking(PROMISED, "the end of the run that ends", || {
        if lab.base().join("ends").exists() { Err("there") } else { Ok(()) }
    })
    .unwrap();

    std::net::TcpStream::connect(address).expect("the other run's server serves on");
    drop(stays.stdin.take());
    stays.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn sixteen_processes_racing_a_cold_start_meet_one_server() {
    let lab = Lab::new();
    let start = Instant::now();

    let racers: Vec<_> = (0..16)
        .map(|_| lab.actor("member", "0").env("TESTENV_RUN_ID", "race").spawn().unwrap())
        .collect();
    let met: HashSet<String> = racers.into_iter().map(server_of).collect();

    assert_eq!(met.len(), 1, "{met:?} after {:?}", start.elapsed());
    lab.expect_nothing_left(PROMISED);
}
