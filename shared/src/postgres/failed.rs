//! Databases of failed tests on a server that outlives the run: marked when the run ends, listed by later runs, and swept after an hour.
//!
//! The mark is the database's comment, so it needs no place of ours on somebody else's server.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};

use super::server;
use crate::Error;
use crate::provider::{POSTGRES, say};

/// Long enough to read the failure and look; a suite that fails all day leaves a few dozen.
pub(super) const STAY: Duration = Duration::from_hours(1);

/// What is added to the note of such a database, which is that of its server.
pub(super) const WORD: &str = " failed";

/// Its comment, before the second at which its run ended.
const ABOUT: &str = "testenv failed";

/// Marks a database, from now on.
pub(super) async fn mark(admin: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let second: i64 = sqlx::query_scalar("SELECT extract(epoch FROM now())::bigint")
        .fetch_one(&mut *admin)
        .await?;
    let sql = format!("COMMENT ON DATABASE \"{name}\" IS '{ABOUT} {second}'");
    admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
}

/// Drops the one that has been there longest, for a test that finds the disk full.
pub(super) async fn give_way(admin: &mut PgConnection) -> sqlx::Result<()> {
    let oldest: Option<String> = sqlx::query_scalar(
        "SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') ~ $1
         ORDER BY split_part(shobj_description(oid, 'pg_database'), ' ', 3)::bigint LIMIT 1",
    )
    .bind(format!("^{ABOUT} [0-9]+$"))
    .fetch_optional(&mut *admin)
    .await?;
    match oldest {
        Some(name) => server::drop_database(admin, &name).await,
        None => Ok(()),
    }
}

/// Drops the databases of tests that failed more than an hour ago, and lists the others.
pub(super) async fn sweep(admin: &mut PgConnection) -> Result<(), Error> {
    let unusable =
        |cause: sqlx::Error| Error::new("the PostgreSQL server cannot be used").cause(cause);
    let left: Vec<(String, bool)> = sqlx::query_as(
        "SELECT datname, extract(epoch FROM now()) > split_part(about, ' ', 3)::float8 + $1
         FROM (SELECT datname, shobj_description(oid, 'pg_database') AS about FROM pg_database) AS named
         WHERE about ~ $2 ORDER BY datname",
    )
    .bind(STAY.as_secs_f64())
    .bind(format!("^{ABOUT} [0-9]+$"))
    .fetch_all(&mut *admin)
    .await
    .map_err(unusable)?;
    let mut stay = Vec::new();
    for (name, is_due) in left {
        // Another user's is not ours to drop, and another run may be quicker.
        if !is_due || server::drop_database(admin, &name).await.is_err() {
            stay.push(name);
        }
    }
    if !stay.is_empty() {
        let (names, minutes) = (stay.join(", "), STAY.as_secs() / 60);
        let what = format!(
            "databases of failed tests, each swept {minutes} minutes after its run: {names}"
        );
        say(POSTGRES.name, &what);
    }
    Ok(())
}
