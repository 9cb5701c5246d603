//! P5: a live run is never reaped; two runs on one machine do not touch each other.

use std::collections::HashSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use testenv::seed;
use testenv::seed::rand::rngs::ChaCha12Rng;
use testenv::seed::rand::{Rng, RngExt, SeedableRng};

use crate::lab::{self, Lab, PROMISED};

const AT_ONCE: usize = 8;

/// The servers that the members of one run met, when members join and leave at random with gaps of up to `gap_ms`.
fn servers_met(lab: &Lab, joins: usize, grace_ms: u64, gap_ms: u64) -> HashSet<String> {
    // One number of the stream: how many joins there are depends on the load that was asked for.
    let mut random = ChaCha12Rng::seed_from_u64(seed::stream().next_u64());
    let mut members = Vec::new();
    let mut met = HashSet::new();
    for _ in 0..joins {
        if members.len() == AT_ONCE || random.random_ratio(1, 4) {
            met.extend(members.drain(..).map(server_of));
            std::thread::park_timeout(Duration::from_millis(random.random_range(0..gap_ms)));
        }
        let stay = random.random_range(0..80).to_string();
        let mut member = member(lab, &stay, "joins and leaves");
        member.env("TESTENV_GRACE_MS", grace_ms.to_string());
        members.push(member.spawn().unwrap());
    }
    met.extend(members.into_iter().map(server_of));
    met
}

fn member(lab: &Lab, stay_ms: &str, run: &str) -> Command {
    let mut member = lab.actor("member", stay_ms);
    member.env("TESTENV_RUN_ID", run).stderr(Stdio::piped());
    member
}

fn server_of(member: Child) -> String {
    let output = member.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a member failed: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
pub(crate) fn joins_and_leaves_at_random_meet_one_server() {
    let lab = Lab::new();

    let met = servers_met(&lab, lab::load(40, 1000), 2000, 300);

    assert_eq!(met.len(), 1, "{met:?}");
    lab.expect_nothing_left(PROMISED);
}

/// A command keeps its servers for the next one. When it is killed, it wants nothing left.
#[test]
fn a_kept_run_is_found_again_and_ends_when_its_command_is_killed() {
    let lab = Lab::new();
    let server = || {
        let mut member = member(&lab, "0", "kept");
        member.env("TESTENV_GRACE_MS", "600000");
        server_of(member.spawn().unwrap())
    };
    let first = server();
    std::thread::park_timeout(Duration::from_secs(3)); // longer than the usual grace

    assert_eq!(server(), first);

    std::fs::write(lab.base().join("kept/given-up"), "").unwrap();
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

    let racers: Vec<_> = (0..16).map(|_| member(&lab, "0", "race").spawn().unwrap()).collect();
    let met: HashSet<String> = racers.into_iter().map(server_of).collect();

    assert_eq!(met.len(), 1, "{met:?} after {:?}", start.elapsed());
    lab.expect_nothing_left(PROMISED);
}
