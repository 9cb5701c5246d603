//! P4 for PostgreSQL: nothing is left of it after any of nine ends, in a container, natively and on a given server.

use std::time::Duration;

use sqlx::{Connection, PgConnection};

use crate::lab::{self, Lab, PROMISED};
use crate::p4_nothing_is_left::nine_ends;

#[test]
fn nothing_is_left_of_a_database_in_a_container_after_any_of_nine_ends() {
    nine_ends("postgres", &[("TESTENV_PROVIDER", "docker".into())]);
}

#[test]
fn nothing_is_left_of_a_native_cluster_after_any_of_nine_ends() {
    let clusters = || {
        let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("testenv-postgres-"))
            .count()
    };

    nine_ends("postgres", &[("TESTENV_PROVIDER", "native".into())]);

    let limit = Duration::from_secs(15);
    testenv::wait::until_blocking(
        limit,
        "the end of the clusters' directories",
        || match clusters() {
            0 => Ok(()),
            left => Err(format!("{left} in /dev/shm")),
        },
    )
    .unwrap();
}

#[tokio::test]
async fn no_database_of_ours_is_left_on_a_given_server_after_any_of_nine_ends() {
    let theirs = Lab::new();
    let mut owner = theirs.actor("given postgres", "wait").spawn().unwrap();
    let url = lab::line(&mut owner);

    nine_ends("postgres", &[("TESTENV_POSTGRES_URL", url.clone())]);

    let mut connection = PgConnection::connect(&url).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT datname FROM pg_database WHERE datname NOT LIKE 'testenv\\_tpl\\_%' AND datname NOT IN ('postgres', 'template0', 'template1')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    // One of the nine ends is a panic: its database stays for an hour, for whoever looks into it.
    assert_eq!(left.len(), 1, "{left:?}");
    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}
