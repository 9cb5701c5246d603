//! Helpers for SQL. Each call opens a connection of its own.

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Runs a statement in the database of this URL, such as `DROP DATABASE`.
///
/// # Errors
///
/// The server's error, or that no server answers. A silent server blocks the call without a limit.
pub async fn execute(url: &str, sql: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(AssertSqlSafe(sql.to_owned())).await?;
    connection.close().await
}

/// Creates an empty database on the server of this URL. The server copies files, which takes 9 ms. The
/// default of PostgreSQL 15 and later logs every page, which takes 24 ms (the mean of twenty, two
/// cores, PostgreSQL 15 in memory).
///
/// # Errors
///
/// As [`execute`].
pub async fn create_database(url: &str, name: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let can_choose = connection.server_version_num().is_some_and(|version| version >= 150_000);
    let strategy = if can_choose { " STRATEGY FILE_COPY" } else { "" };
    let create = format!("CREATE DATABASE \"{name}\"{strategy}");
    connection.execute(AssertSqlSafe(create)).await?;
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

/// Returns the names of the databases that runs have made on the server of this URL.
///
/// # Errors
///
/// As [`execute`].
pub async fn databases(url: &str) -> sqlx::Result<Vec<String>> {
    let mut connection = PgConnection::connect(url).await?;
    // The server's user owns what was made there. `pg_database` itself lists all of the PostgreSQL behind it.
    let list = "SELECT datname::text FROM pg_database WHERE pg_get_userbyid(datdba) = current_user";
    let names = sqlx::query_scalar(list).fetch_all(&mut connection).await?;
    connection.close().await.map(|()| names)
}

/// Returns a name for a database that stays on the server of this URL when runs end, such as a
/// template. It is the same for all runs, and no run's.
///
/// # Panics
///
/// As [`url_of`].
pub fn lasting_name(url: &str, word: &str) -> String {
    let user = url.split(['/', ':']).nth(3).expect("the machine's URLs name a user");
    format!("{user}_{word}")
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
