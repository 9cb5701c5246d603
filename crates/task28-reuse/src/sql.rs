//! Helpers for SQL. Each call opens a connection of its own.

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Runs a statement in the database of this URL, such as `CREATE DATABASE` or `DROP DATABASE`.
///
/// # Errors
///
/// The server's error, or that no server answers. A silent server blocks the call without a limit.
pub async fn execute(url: &str, sql: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(AssertSqlSafe(sql.to_owned())).await?;
    connection.close().await
}

/// Applies the workspace's `migrations/` to the database of this URL. Leaves no connection open.
///
/// # Errors
///
/// As [`execute`].
pub async fn migrate(url: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    MIGRATOR.run_direct(None, &mut connection, false).await?;
    connection.close().await
}

/// Returns the URL of another database of the same server.
///
/// # Panics
///
/// If `url` does not come from [`Server::url`](crate::Server::url).
pub fn url_of(url: &str, database: &str) -> String {
    let (address, parameters) = url.split_once('?').expect("the machine's URLs have parameters");
    let (server, _) = address.rsplit_once('/').expect("the machine's URLs name a database");
    format!("{server}/{database}?{parameters}")
}
