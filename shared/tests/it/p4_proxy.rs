//! Toxiproxy in a container, as a process, and given: there is one, every test has its own proxy,
//! and nothing is left, however the run ends. On a given server, the proxies of others stay.

use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::Connection;
use testenv::Direction;

use crate::lab::engine::started;
use crate::lab::{self, Lab, PROMISED, sixteen_race};
use crate::p4_nothing_is_left::{
    every_kind_of_end, goes_without_its_directory, is_swept_without_a_note,
};

const DOCKER: (&str, &str) = ("TESTENV_PROVIDER", "docker");
/// What tests use where they do not reach the container itself.
const PUBLISHED: (&str, &str) = ("TESTENV_TOXIPROXY_PORTS", "published");
const NATIVE: (&str, &str) = ("TESTENV_PROVIDER", "native");

/// The proxies of the server at a URL.
pub(crate) fn names(url: &str) -> Vec<String> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = runtime.block_on(async {
        client.get(format!("{url}/proxies")).send().await.unwrap().text().await.unwrap()
    });
    let proxies: serde_json::Value = serde_json::from_str(&text).unwrap();
    proxies.as_object().unwrap().keys().cloned().collect()
}

/// A Toxiproxy that somebody else runs, with a proxy of theirs.
pub(crate) struct Given {
    lab: Lab,
    owner: Child,
    pub(crate) url: String,
}

impl Given {
    pub(crate) fn start(way: (&str, &str)) -> Given {
        let lab = Lab::new();
        let mut owner = lab.actor("proxy", "wait");
        let mut owner = owner.envs([way, ("TESTENV_RUN_ID", "theirs")]).spawn().unwrap();
        assert_eq!(lab::line(&mut owner), "proxy");
        let url = lab.address_of("theirs", "toxiproxy");
        Given { lab, owner, url }
    }

    pub(crate) fn end(mut self) {
        drop(self.owner.stdin.take());
        self.owner.wait().unwrap();
        self.lab.expect_nothing_left(PROMISED);
    }
}

#[test]
pub(crate) fn sixteen_processes_racing_a_cold_start_start_one_toxiproxy_of_each_way() {
    let lab = Lab::new();
    let started = started(&lab, || sixteen_race(&lab, "proxy", &[DOCKER]));
    assert_eq!(started, ["toxiproxy"]);
    lab.expect_nothing_left(PROMISED);

    let lab = Lab::new();
    sixteen_race(&lab, "proxy", &[NATIVE]);
    // The run is still in its grace.
    let processes = lab.processes();
    let servers = processes.iter().filter(|line| line.contains("toxiproxy-server -host="));
    assert_eq!(servers.count(), 1, "{processes:?}");
    lab.expect_nothing_left(PROMISED);
}

/// Seven times as many as it has, and half of them cut theirs for a while.
#[test]
pub(crate) fn more_tests_than_the_container_has_ports_get_a_proxy_each() {
    let lab = Lab::new();
    let crowd = || {
        let mut crowd = lab.actor("crowd of proxies", "28");
        crowd.envs([DOCKER, PUBLISHED, ("TESTENV_RUN_ID", "crowd")]).spawn().unwrap()
    };

    let processes: Vec<Child> = (0..4).map(|_| crowd()).collect();

    for process in processes {
        assert!(process.wait_with_output().unwrap().status.success());
    }
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_hundred_tests_at_once_get_a_proxy_each() {
    for way in [DOCKER, NATIVE] {
        let lab = Lab::new();

        let crowd = lab.actor("crowd of proxies", "100").envs([way]).status().unwrap();

        assert!(crowd.success());
        lab.expect_nothing_left(PROMISED);
    }
}

#[tokio::test]
async fn servers_of_the_run_are_reached_through_proxies() {
    const DELAY: Duration = Duration::from_millis(300);
    let (db, redis) = (testenv::fresh_db().await, testenv::fresh_redis().await);
    let to_db = testenv::fresh_proxy(db.url()).await;
    let to_redis = testenv::fresh_proxy(redis.url()).await;
    to_db.latency(Direction::Downstream, DELAY).await.unwrap();

    let mut connection = sqlx::PgConnection::connect(&to_db.url()).await.unwrap();
    let start = Instant::now();
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut connection).await.unwrap();
    let took = start.elapsed();
    let client = redis::Client::open(to_redis.url()).unwrap();
    let mut client = client.get_multiplexed_async_connection().await.unwrap();
    let pong: String = redis::cmd("PING").query_async(&mut client).await.unwrap();

    assert_eq!((one, pong.as_str()), (1, "PONG"));
    assert!(took >= DELAY, "{took:?}");
}

#[test]
fn a_broker_in_a_container_is_refused_because_its_clients_go_around_a_proxy() {
    let lab = Lab::new();

    let (said, _) = lab::complaint(&lab, "proxy to kafka", &[DOCKER]);

    assert!(said.contains("a broker sends its clients to an address that only"), "{said}");
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn the_ports_of_a_killed_process_are_free_again() {
    let lab = Lab::new();
    let vars = [DOCKER, PUBLISHED, ("TESTENV_RUN_ID", "killed")];
    let mut runner = lab.under_cargo("nothing", "pass", "read -r line").envs(vars).spawn().unwrap();
    assert_eq!(lab::line(&mut runner), "nothing");
    let mut killed = lab.actor("sixteen proxies", "wait").envs(vars).spawn().unwrap();
    assert_eq!(lab::line(&mut killed), "sixteen proxies");
    killed.kill().unwrap();
    killed.wait().unwrap();
    let address = lab.address_of("killed", "toxiproxy");
    assert_eq!(names(&address).len(), 16);

    let mut next = lab.actor("sixteen proxies", "wait").envs(vars).spawn().unwrap();

    assert_eq!(lab::line(&mut next), "sixteen proxies");
    assert_eq!(names(&address).len(), 16);
    for mut child in [next, runner] {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    lab.expect_nothing_left(PROMISED);
}

#[test]
pub(crate) fn nothing_is_left_of_a_toxiproxy_in_a_container_after_every_kind_of_end() {
    every_kind_of_end(8, "proxy", &[(DOCKER.0, DOCKER.1.into())]);
}

#[test]
pub(crate) fn nothing_is_left_of_a_native_toxiproxy_after_every_kind_of_end() {
    every_kind_of_end(9, "proxy", &[(NATIVE.0, NATIVE.1.into())]);
}

#[test]
pub(crate) fn no_proxy_of_ours_is_left_on_a_given_toxiproxy_after_every_kind_of_end() {
    let given = Given::start(NATIVE);
    let theirs = names(&given.url);
    // Theirs, and the one by which a native server is known.
    assert_eq!(theirs.len(), 2, "{theirs:?}");

    every_kind_of_end(10, "proxy", &[("TESTENV_TOXIPROXY_URL", given.url.clone())]);

    assert_eq!(names(&given.url), theirs);
    given.end();
}

#[test]
fn a_proxy_of_a_passed_test_goes_with_it_and_not_with_the_run() {
    let given = Given::start(NATIVE);
    let theirs = names(&given.url);
    let lab = Lab::new();

    let mut test = lab.actor("a proxy after the other", "wait");
    let mut test = test.env("TESTENV_TOXIPROXY_URL", &given.url).spawn().unwrap();
    assert_eq!(lab::line(&mut test), "a proxy after the other");

    // Of those that a process keeps until its end, in case that their test failed, there are few.
    let left = names(&given.url).len() - theirs.len();
    assert!(left <= 4, "{left} of 30");
    drop(test.stdin.take());
    test.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
    assert_eq!(names(&given.url), theirs);
    given.end();
}

/// To wait for each of the sixteen would take minutes.
#[test]
fn a_given_toxiproxy_that_is_mute_holds_up_the_end_of_a_run_once_and_is_swept_later() {
    let given = Given::start(NATIVE);
    let theirs = names(&given.url);
    let signal = |signal| kill(Pid::from_raw(given.lab.native_pids()[0]), signal).unwrap();
    let lab = Lab::new();
    let mut killed = lab.actor("sixteen proxies", "wait");
    let mut killed = killed.env("TESTENV_TOXIPROXY_URL", &given.url).spawn().unwrap();
    assert_eq!(lab::line(&mut killed), "sixteen proxies");
    signal(Signal::SIGSTOP);

    killed.kill().and_then(|()| killed.wait()).unwrap();

    lab.expect_reapers(4 * PROMISED, 0, "");
    signal(Signal::SIGCONT);
    assert!(lab.actor("nothing", "pass").status().unwrap().success());
    lab.expect_nothing_left(PROMISED);
    assert_eq!(names(&given.url), theirs);
    given.end();
}

#[test]
fn a_native_toxiproxy_goes_although_somebody_deleted_the_runs_directory() {
    goes_without_its_directory("proxy", &[NATIVE]);
}

#[test]
fn a_native_toxiproxy_whose_reaper_and_directory_are_gone_is_swept_by_the_next_run() {
    is_swept_without_a_note("proxy", &[NATIVE]);
}
