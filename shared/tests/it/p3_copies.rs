//! P3 when something goes wrong: if a copy cannot be made, everybody who waits for it is told at
//! once. The next copy may succeed.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use testenv::wait;

use crate::given::{Given, ask};
use crate::lab::{self, Lab, PROMISED};

/// More than are kept ready.
const MANY: &str = "40";

/// A test that is not told waits for a minute; a loaded machine takes some seconds for the rest.
const SOON: Duration = Duration::from_secs(20);

fn asked(lab: &Lab, url: &str) -> Child {
    let mut actor = lab.actor("asked", "pass");
    actor.env("TESTENV_POSTGRES_URL", url).env("TESTENV_RUN_ID", "asked").spawn().unwrap()
}

fn end(mut test: Child, lab: &Lab) {
    drop(test.stdin.take());
    assert!(test.wait().unwrap().success());
    lab.expect_nothing_left(PROMISED);
}

#[tokio::test]
async fn a_lost_session_is_opened_again_and_holds_its_template_again() {
    let (given, lab) = (Given::start(), Lab::new());
    let mut test = asked(&lab, &given.url);
    let first = ask(&mut test, "1");

    given
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid()")
        .await;

    let second = ask(&mut test, MANY);
    assert!(first.starts_with("had: ") && second.starts_with("had: "), "{first}\n{second}");
    let locks = "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND granted";
    assert_eq!(given.column(locks).await, ["ShareLock"]);
    end(test, &lab);
    given.end();
}

#[tokio::test]
async fn a_session_that_is_ended_while_nothing_is_to_do_holds_its_template_again() {
    let (given, lab) = (Given::start(), Lab::new());
    let mut test = asked(&lab, &given.url);
    ask(&mut test, "1");

    given
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid()")
        .await;

    wait::until(SOON, "the lock on the template", async || {
        let locks = given.column("SELECT mode FROM pg_locks WHERE locktype = 'advisory'").await;
        if locks == ["ShareLock"] { Ok(()) } else { Err(format!("{locks:?}")) }
    })
    .await
    .unwrap();
    end(test, &lab);
    given.end();
}

#[tokio::test]
async fn the_limits_of_a_role_are_not_those_of_the_sessions_that_make_its_databases() {
    let (given, lab) = (Given::start(), Lab::new());
    let alice = given.role("alice").await;
    // Version 13 has no limit for a session that is idle.
    if given.version().await >= 14 {
        given.execute("ALTER ROLE alice SET idle_session_timeout = '500ms'").await;
    }
    given.execute("ALTER ROLE alice SET default_transaction_read_only = on").await;
    let mut test = lab.actor("asked", "pass");
    test.env("TESTENV_POSTGRES_URL", &alice)
        .env("TEMPLATE_SQL", "SET default_transaction_read_only = off");
    let mut test = test.spawn().unwrap();
    let had = ask(&mut test, "1");

    wait::until(SOON, "a session that was idle for longer", async || {
        let idle = "SELECT pid::text FROM pg_stat_activity WHERE usename = 'alice' AND state = 'idle' AND state_change < now() - interval '2 s'";
        let idle = given.column(idle).await;
        if idle.is_empty() { Err("none") } else { Ok(()) }
    })
    .await
    .unwrap();

    assert!(had.starts_with("had: "), "{had}");
    end(test, &lab);
    given.end();
}

#[tokio::test]
async fn a_refused_copy_is_told_to_those_who_wait_and_the_next_are_made() {
    let (given, lab) = (Given::start(), Lab::new());
    let mut test = asked(&lab, &given.role("alice").await);
    ask(&mut test, "1");
    given.execute("ALTER ROLE alice NOCREATEDB").await;
    let start = Instant::now();

    let refused = ask(&mut test, MANY);
    let told = start.elapsed();
    let begun_without = ask(&mut test, "begin");
    let built_without = ask(&mut test, "another template");
    given.execute("ALTER ROLE alice CREATEDB").await;
    let had = ask(&mut test, MANY);
    let begun = ask(&mut test, "begin");
    let built = ask(&mut test, "another template");

    for refused in [refused, begun_without, built_without] {
        assert!(refused.contains("permission denied to create database"), "{refused}");
    }
    assert!(told < SOON, "{told:?}");
    assert!(had.starts_with("had: "), "{had}");
    assert_eq!((begun, built), ("had: begun".into(), "had: another".into()));
    end(test, &lab);
    given.end();
}

#[tokio::test]
async fn a_template_that_somebody_dropped_is_said() {
    let (given, lab) = (Given::start(), Lab::new());
    let mut test = asked(&lab, &given.url);
    ask(&mut test, "1");
    let templates = "SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datname LIKE 'testenv\\_tpl\\_%'";
    let drop = given.column(templates).await.concat();
    wait::until(SOON, "a template that is not being copied", async || {
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(drop.clone()));
        done.execute(&mut given.admin().await).await
    })
    .await
    .unwrap();

    let refused = ask(&mut test, MANY);

    assert!(refused.contains("does not exist"), "{refused}");
    assert!(refused.contains("to fix: run the tests again"), "{refused}");
    end(test, &lab);
    given.end();
}

#[test]
fn a_reaper_that_was_killed_is_said() {
    let (given, lab) = (Given::start(), Lab::new());
    let mut test = asked(&lab, &given.url);
    ask(&mut test, "1");
    let reaper = nix::unistd::Pid::from_raw(lab.reaper());
    let start = Instant::now();

    nix::sys::signal::kill(reaper, nix::sys::signal::Signal::SIGKILL).unwrap();
    let refused = ask(&mut test, MANY);

    assert!(refused.contains("reaper, which makes the copies, is gone"), "{refused}");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    drop(test.stdin.take());
    test.wait().unwrap();
    // The next run sweeps what that one left.
    let next = lab.actor("nothing", "pass").status().unwrap();
    assert!(next.success());
    lab.expect_nothing_left(PROMISED);
    given.end();
}

/// A run in whose directory there is a folder of this name before its reaper comes; what its first test says.
fn with_a_folder(name: &str) -> (String, Duration) {
    let lab = Lab::new();
    let id = ("TESTENV_RUN_ID", "odd");
    let mut attended = lab.actor("attended", "wait").envs([id]).spawn().unwrap();
    assert_eq!(lab::line(&mut attended), "attended");
    let members =
        std::process::Command::new("find").arg(lab.base()).args(["-name", "members"]).output();
    let members = String::from_utf8(members.unwrap().stdout).unwrap();
    std::fs::create_dir(std::path::Path::new(members.trim()).with_file_name(name)).unwrap();

    let mut test = lab.actor("asked", "pass").envs([id]).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let answer = ask(&mut test, "1");
    let took = start.elapsed();

    for mut actor in [test, attended] {
        drop(actor.stdin.take());
        actor.wait().unwrap();
    }
    lab.expect_nothing_left(PROMISED);
    (answer, took)
}

#[test]
fn a_run_whose_file_system_has_no_fifos_is_served_as_any_other() {
    let (answer, took) = with_a_folder("wake");

    assert!(answer.starts_with("had: "), "{answer}");
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_reaper_that_cannot_work_says_why_at_once() {
    let (answer, took) = with_a_folder("pg.lock");

    assert!(answer.contains("the run's reaper makes no copies: Is a directory"), "{answer}");
    assert!(took < SOON, "{took:?}");
}
