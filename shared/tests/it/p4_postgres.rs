//! P4 for PostgreSQL: nothing is left of it after every kind of end, in a container, natively and on a given server.

use std::path::Path;

use sqlx::{Connection, PgConnection};

use crate::given::Given;
use crate::lab::{self, Lab, PROMISED};
use crate::p4_nothing_is_left::{
    every_kind_of_end, goes_without_its_directory, is_swept_without_a_note,
};

#[test]
pub(crate) fn nothing_is_left_of_a_database_in_a_container_after_every_kind_of_end() {
    every_kind_of_end(2, "postgres", &[("TESTENV_PROVIDER", "docker".into())]);
}

#[test]
pub(crate) fn nothing_is_left_of_a_native_cluster_after_every_kind_of_end() {
    every_kind_of_end(3, "postgres", &[("TESTENV_PROVIDER", "native".into())]);
}

const NATIVE: &[(&str, &str)] = &[("TESTENV_PROVIDER", "native")];

#[test]
fn a_native_cluster_goes_although_somebody_deleted_the_runs_directory() {
    goes_without_its_directory("postgres", NATIVE);
}

#[test]
fn a_native_cluster_whose_reaper_and_directory_are_gone_is_swept_by_the_next_run() {
    is_swept_without_a_note("postgres", NATIVE);
}

/// A run may go on for hours, and each of its killed tests held 8 MB of the server's memory.
#[tokio::test]
async fn the_database_of_a_killed_test_is_dropped_while_the_run_goes_on() {
    dropped_while_the_run_goes_on(|_| ()).await;
}

/// Tests that wait for copies come first, but not for ever: they may wait for the room.
#[tokio::test]
async fn the_database_of_a_killed_test_is_dropped_while_others_wait_for_theirs() {
    dropped_while_the_run_goes_on(|run| {
        for template in std::fs::read_dir(run.join("pg")).unwrap() {
            std::fs::write(template.unwrap().path().join("waiting/for-minutes"), "").unwrap();
        }
    })
    .await;
}

async fn dropped_while_the_run_goes_on(meanwhile: impl FnOnce(&Path)) {
    let (theirs, lab) = (Lab::new(), Lab::new());
    let mut owner = theirs.actor("given postgres", "wait").spawn().unwrap();
    let url = lab::line(&mut owner);
    let test = || {
        let mut actor = lab.actor("postgres", "wait");
        actor.env("TESTENV_POSTGRES_URL", &url).env("TESTENV_RUN_ID", "long").spawn().unwrap()
    };
    let (mut lives, mut killed) = (test(), test());
    assert_eq!(
        (lab::line(&mut lives), lab::line(&mut killed)),
        ("postgres".into(), "postgres".into())
    );
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut with_rows = async || {
        let mut found = 0;
        let names = "SELECT datname::text FROM pg_database WHERE datname LIKE 'test\\_%'";
        let names: Vec<String> =
            sqlx::query_scalar(names).fetch_all(&mut connection).await.unwrap();
        for name in names {
            let (server, _) = url.rsplit_once('/').unwrap();
            let Ok(mut test) = PgConnection::connect(&format!("{server}/{name}")).await else {
                continue;
            };
            let users = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM users");
            found += users.fetch_one(&mut test).await.unwrap_or(0);
        }
        found
    };
    assert_eq!(with_rows().await, 2, "each test has written a row into its database");

    meanwhile(&lab.base().join("long"));
    killed.kill().unwrap();
    killed.wait().unwrap();

    let dropped =
        testenv::wait::until(PROMISED, "the drop of the killed test's database", async || {
            let found = with_rows().await;
            if found == 1 { Ok(()) } else { Err(found) }
        });
    dropped.await.unwrap();
    drop(lives.stdin.take());
    lives.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}

#[tokio::test]
async fn databases_that_a_test_named_after_its_own_go_with_it_and_no_others() {
    let (lives, db) = (testenv::fresh_db().await, testenv::fresh_db().await);
    let ours = format!("{}_archive", db.name());
    let theirs =
        [format!("{}1_archive", db.name()), format!("x{ours}"), format!("{}_a", lives.name())];
    for name in theirs.iter().chain([&ours]) {
        let create = format!("CREATE DATABASE \"{name}\"");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(lives.superuser()).await.unwrap();
    }
    let there = async |name: &str| -> bool {
        let count = "SELECT count(*) = 1 FROM pg_database WHERE datname = $1";
        sqlx::query_scalar(count).bind(name).fetch_one(lives.superuser()).await.unwrap()
    };

    drop(db);

    let gone = testenv::wait::until(PROMISED, "the drop of both", async || {
        if there(&ours).await { Err("it is there") } else { Ok(()) }
    });
    gone.await.unwrap();
    for name in theirs {
        assert!(there(&name).await, "{name}");
        let drop = format!("DROP DATABASE \"{name}\"");
        sqlx::query(sqlx::AssertSqlSafe(drop)).execute(lives.superuser()).await.unwrap();
    }
}

/// They may be somebody's.
#[tokio::test]
async fn what_is_named_after_a_noted_database_stays() {
    let (given, lab) = (Given::start(), Lab::new());
    given.execute("CREATE DATABASE archive_of_theirs").await;
    given.execute("CREATE ROLE archive_reader").await;
    let names = "SELECT datname::text FROM pg_database WHERE datname LIKE 'archive%'
                 UNION ALL SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'archive%' ORDER BY 1";
    let mut test = lab.actor("noted", "wait");
    let mut test = test.env("TESTENV_POSTGRES_URL", &given.url).spawn().unwrap();
    assert_eq!(lab::line(&mut test), "noted");
    assert_eq!(given.column(names).await, ["archive", "archive_of_theirs", "archive_reader"]);

    drop(test.stdin.take());
    test.wait().unwrap();

    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.column(names).await, ["archive_of_theirs", "archive_reader"]);
    given.end();
}

/// With a role that owns one of them.
#[tokio::test]
async fn of_a_killed_test_databases_that_it_named_after_its_own_go_from_a_given_server() {
    let (given, lab) = (Given::start(), Lab::new());
    let names = "SELECT datname::text FROM pg_database WHERE datname LIKE 'test\\_%'
                 UNION ALL SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'test\\_%'";
    let mut killed = lab.actor("family", "wait");
    let mut killed = killed.env("TESTENV_POSTGRES_URL", &given.url).spawn().unwrap();
    let name = lab::line(&mut killed);
    let found = given.column(names).await;
    for of in ["_archive", "_owner", "_owned"] {
        assert!(found.contains(&format!("{name}{of}")), "{found:?}");
    }

    killed.kill().and_then(|()| killed.wait()).unwrap();

    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.column(names).await, [""; 0]);
    given.end();
}

#[tokio::test]
pub(crate) async fn no_database_of_ours_is_left_on_a_given_server_after_every_kind_of_end() {
    let theirs = Lab::new();
    let mut owner = theirs.actor("given postgres", "wait").spawn().unwrap();
    let url = lab::line(&mut owner);

    let ends = every_kind_of_end(4, "postgres", &[("TESTENV_POSTGRES_URL", url.clone())]);

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT datname FROM pg_database WHERE datname NOT LIKE 'testenv\\_tpl\\_%' AND datname NOT IN ('postgres', 'template0', 'template1')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    // The database of the test that panicked stays for an hour, for whoever looks into it.
    assert_eq!(left.len(), usize::from(ends.contains(&"panic")), "{left:?}");
    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}
