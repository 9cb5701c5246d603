//! SQL that is run in passing, each on a connection of its own.

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Runs one statement in the database of this URL: `CREATE DATABASE`, `DROP DATABASE`.
///
/// # Errors
///
/// What the server says, or that none answers. A server that is silent is waited for without a limit.
pub async fn execute(url: &str, sql: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(AssertSqlSafe(sql.to_owned())).await?;
    connection.close().await
}

/// Applies the workspace's `migrations/` to the database of this URL; leaves no connection to it.
///
/// # Errors
///
/// As [`execute`].
pub async fn migrate(url: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    MIGRATOR.run_direct(None, &mut connection, false).await?;
    connection.close().await
}

/// The URL of another database of the same server.
///
/// # Panics
///
/// If `url` is none of [`Server::url`](crate::Server::url).
pub fn url_of(url: &str, database: &str) -> String {
    let (address, parameters) = url.split_once('?').expect("the machine's URLs have parameters");
    let (server, _) = address.rsplit_once('/').expect("the machine's URLs name a database");
    format!("{server}/{database}?{parameters}")
}
