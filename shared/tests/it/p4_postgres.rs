//! P4 for PostgreSQL: nothing is left of it after every kind of end, in a container, natively and on a given server.

use sqlx::{Connection, PgConnection};

use crate::lab::{self, Lab, PROMISED};
use crate::p4_nothing_is_left::every_kind_of_end;

#[test]
fn nothing_is_left_of_a_database_in_a_container_after_every_kind_of_end() {
    every_kind_of_end(2, "postgres", &[("TESTENV_PROVIDER", "docker".into())]);
}

#[test]
fn nothing_is_left_of_a_native_cluster_after_every_kind_of_end() {
    let clusters = || {
        let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("testenv-postgres-"))
            .count()
    };

    every_kind_of_end(3, "postgres", &[("TESTENV_PROVIDER", "native".into())]);

    // Other tests' clusters may live meanwhile.
    testenv::wait::until_blocking(PROMISED, "the end of the clusters' memory", || {
        match (clusters(), orphaned_segments()) {
            (0, segments) if segments.is_empty() => Ok(()),
            (left, segments) => Err(format!("{left} in /dev/shm, segments {segments:?}")),
        }
    })
    .unwrap();
}

/// System V shared memory to which no process is attached, and whose maker is gone: `key shmid perms size cpid lpid nattch`, proc(5).
fn orphaned_segments() -> Vec<String> {
    let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let orphaned = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[6] == "0" && !std::path::Path::new("/proc").join(fields[4]).exists()
    };
    segments.lines().skip(1).filter(orphaned).map(str::to_owned).collect()
}

#[tokio::test]
async fn no_database_of_ours_is_left_on_a_given_server_after_every_kind_of_end() {
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
