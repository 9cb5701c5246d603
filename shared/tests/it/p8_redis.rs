//! P8 for Redis: everything wrong with a given server is reported within two seconds, with the
//! cure.

use std::net::TcpListener;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::{self, Lab, PROMISED, complaint, expect_complaint};
use crate::p4_redis::Given;

const VAR: &str = "TESTENV_REDIS_URL";

fn expect(url: &str, words: &[&str]) {
    expect_complaint("redis", &[(VAR, url)], words);
}

#[test]
pub(crate) fn a_redis_url_that_leads_nowhere() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    expect(&format!("redis://{free}"), &[VAR, "refused", "to fix: correct TESTENV_REDIS_URL"]);
}

#[test]
fn a_redis_url_whose_server_is_mute() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();

    let url = format!("redis://:secret@{}", mute.local_addr().unwrap());
    expect(&url, &["no answer within 1.1s", "to fix: export TESTENV_REDIS_URL=redis://"]);
    expect(
        &url.replace(":secret@", ""),
        &["no answer within 1.1s", "to fix: `unset TESTENV_REDIS_URL`"],
    );
}

#[test]
fn a_redis_url_of_another_kind() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = other.local_addr().unwrap();

    expect(&format!("http://{at}"), &["Redis URL did not parse", "to fix: export"]);
    expect(&format!("rediss://{at}"), &["TLS", "to fix: export"]);
}

#[test]
fn a_given_redis_that_does_not_let_us_in() {
    let given = Given::start();

    expect(
        &given.url.replace("open%20sesame", "open%20barley"),
        &["authentication failed", "to fix: export TESTENV_REDIS_URL=redis://<user>:<password>"],
    );
    expect(
        &given.url.replace("default:open%20sesame@", ""),
        &["Authentication required", "to fix: export TESTENV_REDIS_URL=redis://<user>:<password>"],
    );
    given.end();
}

#[test]
fn a_redis_url_that_names_one_database() {
    let given = Given::start();

    expect(&format!("{}/3", given.url), &["it names database 3", "leave the number out"]);

    given.end();
}

#[test]
fn a_given_redis_without_an_empty_database() {
    let given = Given::start();
    for number in 1..16 {
        given.write(number, "theirs");
    }

    expect(
        &given.url,
        &["each of the 15 databases", "somebody's data", "to fix: start the server with more"],
    );

    assert_eq!(given.keys(), (1..16).map(|number| (number, vec!["theirs".into()])).collect());
    given.end();
}

#[test]
fn a_redis_that_died_in_the_middle_of_a_run() {
    let lab = Lab::new();
    let vars = [("TESTENV_PROVIDER", "native"), ("TESTENV_RUN_ID", "died")];
    let mut first = lab.actor("redis", "wait").envs(vars).spawn().unwrap();
    assert_eq!(lab::line(&mut first), "redis");
    let note = std::fs::read_to_string(lab.base().join("died/ledger/native.redis")).unwrap();
    let server = note.split_whitespace().next().unwrap().parse().unwrap();

    kill(Pid::from_raw(server), Signal::SIGKILL).unwrap();

    let (said, took) = complaint(&lab, "redis", &vars);
    assert!(said.contains("the Redis server does not answer any more"), "{said}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    drop(first.stdin.take());
    first.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
    // The next run has a server of its own.
    assert!(lab.actor("redis", "pass").envs(vars).status().unwrap().success());
    lab.expect_nothing_left(PROMISED);
}
