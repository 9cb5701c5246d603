//! P4 for PostgreSQL: nothing is left of it after every kind of end, in a container, natively and on a given server.

use sqlx::{Connection, PgConnection};

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
