//! P3 for Redis: a database is private, empty and quickly available. Dropping it takes no time.

use std::collections::HashSet;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use redis::AsyncCommands;
use testenv::{fresh_redis, wait};

use crate::lab::{self, Lab, PROMISED};
use crate::p4_redis::Given;

#[tokio::test]
pub(crate) async fn flushdb_keys_and_scan_stay_inside_a_database() {
    let (one, other) = (fresh_redis().await, fresh_redis().await);
    let (mut one, mut other) = (one.connection().await, other.connection().await);
    let () = one.set("key", "one").await.unwrap();
    let () = other.set("key", "other").await.unwrap();
    let () = other.set("another key", "").await.unwrap();

    let () = other.flushdb().await.unwrap();

    let keys: Vec<String> = one.keys("*").await.unwrap();
    let (_, scanned): (u64, Vec<String>) =
        redis::cmd("SCAN").arg(0).query_async(&mut one).await.unwrap();
    assert_eq!((keys, scanned), (vec!["key".to_owned()], vec!["key".to_owned()]));
    assert_eq!(one.get::<_, String>("key").await.unwrap(), "one");
}

#[tokio::test]
async fn a_database_is_empty_whatever_was_there_before() {
    for _ in 0..50 {
        let redis = fresh_redis().await;
        let mut connection = redis.connection().await;

        let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap();

        assert_eq!(keys, 0);
        let () = connection.set("what was there", "before").await.unwrap();
    }
}

/// A thread or a program that a test left running has its connection still.
#[tokio::test]
async fn what_is_left_of_a_test_reaches_no_other_tests_database() {
    let (_other, first) = (fresh_redis().await, fresh_redis().await);
    let url = first.url().to_owned();
    let mut left = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    let () = redis::Commands::set(&mut left, "before", "").unwrap();

    drop(first);

    let mut held = Vec::new();
    let second = loop {
        let redis = fresh_redis().await;
        if redis.url() == url {
            break redis;
        }
        held.push(redis); // its number is still being given back
        if held.len() > 50 {
            held.clear();
        }
    };
    let written: redis::RedisResult<()> = redis::Commands::set(&mut left, "after", "");
    let mut connection = second.connection().await;
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    assert_eq!((written.is_ok(), keys), (false, vec![]));
}

#[tokio::test]
pub(crate) async fn live_databases_are_all_different() {
    let mut live = Vec::new();
    for _ in 0..200 {
        live.push(fresh_redis().await);
    }

    let urls: HashSet<&str> = live.iter().map(|redis| redis.url()).collect();

    assert_eq!(urls.len(), 200);
}

/// A server with many databases looks for expired keys in a few at a time.
#[tokio::test]
async fn an_expired_key_is_not_counted_for_long() {
    let redis = fresh_redis().await;
    let mut connection = redis.connection().await;
    let () = connection.pset_ex("short-lived", "", 1).await.unwrap();

    let gone = wait::until(Duration::from_secs(2), "the end of the key", async || {
        let keys: u64 = redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap();
        if keys == 0 { Ok(()) } else { Err(format!("{keys} keys")) }
    });

    gone.await.unwrap();
}

/// The promise is for a machine that does nothing else, so the best of a few rounds counts.
#[tokio::test]
async fn a_warm_fresh_redis_takes_three_milliseconds_and_its_drop_one() {
    drop(fresh_redis().await);
    let (mut fresh, mut dropped) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let (mut taking, mut dropping) = (Vec::new(), Vec::new());
        for _ in 0..41 {
            let start = Instant::now();
            let redis = fresh_redis().await;
            taking.push(start.elapsed());
            let start = Instant::now();
            drop(redis);
            dropping.push(start.elapsed());
        }
        taking.sort();
        dropping.sort();
        fresh = fresh.min(taking[20]);
        dropped = dropped.min(dropping[40]);
    }

    assert!(fresh <= Duration::from_millis(3), "{fresh:?}");
    assert!(dropped <= Duration::from_millis(1), "{dropped:?}");
}

#[test]
fn forty_parallel_tests_pass_on_a_server_of_sixteen_databases() {
    let given = Given::start();
    for number in [0, 2, 9] {
        given.write(number, "theirs");
    }
    let theirs = given.keys();
    let lab = Lab::new();

    let crowd = lab.actor("crowd", "40").env("TESTENV_REDIS_URL", &given.url).status().unwrap();

    assert!(crowd.success());
    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.keys(), theirs);
    given.end();
}

#[test]
pub(crate) fn forty_processes_of_two_machines_pass_on_a_server_of_sixteen_databases() {
    let given = Given::start();
    given.write(3, "theirs");
    let theirs = given.keys();
    let machines = [Lab::new(), Lab::new()];
    let test = |lab: &Lab| -> Child {
        let mut test = lab.actor("crowd", "1");
        test.envs([("TESTENV_REDIS_URL", given.url.as_str()), ("TESTENV_RUN_ID", "crowd")]);
        test.spawn().unwrap()
    };

    let tests: Vec<Child> = (0..20).flat_map(|_| machines.each_ref().map(test)).collect();

    let ends = tests.into_iter().map(|mut test| test.wait().unwrap());
    assert_eq!(ends.filter(|status| !status.success()).count(), 0);
    for lab in &machines {
        lab.expect_nothing_left(PROMISED);
    }
    assert_eq!(given.keys(), theirs);
    given.end();
}

/// What a test says that panics, on a given server or on the run's.
fn last_words(lab: &Lab, given: Option<&Given>) -> String {
    let mut test = lab.actor("redis", "panic");
    test.env("TESTENV_RUN_ID", "failed").stderr(Stdio::piped());
    if let Some(given) = given {
        test.env("TESTENV_REDIS_URL", &given.url);
    }
    String::from_utf8(test.output().unwrap().stderr).unwrap()
}

/// Keeps the run open, as a runner does that has other tests to run.
fn runner(lab: &Lab) -> Child {
    let mut runner = lab.under_cargo("nothing", "pass", "read -r line");
    let mut runner = runner.env("TESTENV_RUN_ID", "failed").spawn().unwrap();
    assert_eq!(lab::line(&mut runner), "nothing");
    runner
}

#[test]
pub(crate) fn a_failed_test_leaves_its_database_and_says_how_to_open_it() {
    let lab = Lab::new();
    let mut runner = runner(&lab);

    let said = last_words(&lab, None);

    let words = said.split_whitespace();
    let url =
        words.skip_while(|word| *word != "redis-cli").nth(2).unwrap_or_else(|| panic!("{said}"));
    // What runs this test is the runner of the actor, too: the command is that one's.
    assert!(said.contains("run it again: cargo "), "{said}");
    // Nor does a later test of the run take it.
    assert!(lab.actor("crowd", "8").env("TESTENV_RUN_ID", "failed").status().unwrap().success());
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    let kept: String = redis::cmd("GET").arg("written by").query(&mut connection).unwrap();
    assert_eq!(kept, "an actor");
    drop(runner.stdin.take());
    runner.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_given_servers_password_is_not_printed_when_a_test_fails() {
    let given = Given::start();
    let lab = Lab::new();

    let said = last_words(&lab, Some(&given));

    assert!(said.contains("redis-cli -u \"$TESTENV_REDIS_URL\" -n 1"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
    lab.expect_nothing_left(PROMISED);
    given.end();
}

#[test]
fn databases_of_failed_tests_give_way_where_there_is_no_other() {
    let given = Given::start();
    let lab = Lab::new();
    let mut runner = runner(&lab);

    // Fifteen can be kept, so the sixteenth and the seventeenth take what the first two left.
    let said: Vec<String> = (0..17).map(|_| last_words(&lab, Some(&given))).collect();

    for said in said {
        assert!(said.contains("as told"), "{said}");
    }
    assert_eq!(given.keys().len(), 1 + 15);
    drop(runner.stdin.take());
    runner.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
    given.end();
}

#[tokio::test]
async fn a_redis_can_be_asked_for_in_a_spawned_task() {
    let asked = tokio::spawn(async { fresh_redis().await.url().to_owned() });

    assert!(asked.await.unwrap().starts_with("redis://"));
}
