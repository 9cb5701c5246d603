//! A database of a test's own, from its first query to its end.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::OnceLock;

use sqlx::postgres::PgPool;

use super::server::Server;
use super::template::Template;
use super::{client, failed, pool, served};
use crate::Error;
use crate::provider::POSTGRES;
use crate::run::{Run, ledger};
use crate::verdict::Held;
use crate::wait::{self, HeldClock};

/// A database of a test's own.
///
/// Dropping it gives it back to be removed; it neither waits nor needs a runtime. The database of a failed
/// test stays until the run's server ends, or, on a
/// server that outlives the run, for an hour, and the line that opens it is printed when the process ends. Of
/// a test it is the newest one, of a run the
/// newest sixteen.
///
/// It is a `PgPool` wherever one is expected (`&db`), and an address for every other client.
///
/// ```no_run
/// # async fn test() {
/// use testenv::Db;
///
/// let db: Db = testenv::fresh_db().await;
/// let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(db.pool()).await.unwrap();
/// assert_eq!(name, db.name());
/// println!("psql '{}'", db.url());
/// # }
/// ```
#[must_use = "dropping the guard removes the database; bind it to a variable"]
pub struct Db {
    pool: PgPool,
    /// Set when its connections were opened beforehand.
    is_open: OnceLock<()>,
    url: String,
    name: String,
    taken: PathBuf,
    run: &'static Run,
    server: &'static Server,
    held: Held,
}

/// Returns a database with the workspace's `migrations/` applied, that no other test can see.
///
/// Dropping it removes the database, unless the test fails: then it stays, and its `psql` line is printed.
///
/// # Panics
///
/// If no server can be reached or started, or a migration fails. The message says what was tried and what to type.
///
/// ```no_run
/// # async fn test() {
/// let db = testenv::fresh_db().await;
/// let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db.pool()).await.unwrap();
/// assert_eq!(users, 0);
/// # }
/// ```
pub async fn fresh_db() -> Db {
    Template::workspace().fresh().await
}

/// Notes a database that a test is about to make by itself on the run's server, so that it too is removed when the run ends.
///
/// # Errors
///
/// When no server can be reached or started, or the run's directory cannot be written.
///
/// ```no_run
/// # async fn test() {
/// let db = testenv::fresh_db().await;
/// let name = format!("{}_archive", db.name());
/// testenv::postgres::note(&name).await.unwrap(); // before it is made: then no end of the test leaves it
/// sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(db.pool()).await.unwrap();
/// # }
/// ```
pub async fn note(name: &str) -> Result<(), Error> {
    let (run, server) = served::connect().await?;
    // Our own server takes everything with it.
    if server.is_ours {
        return Ok(());
    }
    ledger::note(run.dir(), "postgres", name, &server.note())
}

impl Db {
    /// A pool of up to ten connections, opened as they are needed; where the test has stopped tokio's clock, all of them at once.
    pub fn pool(&self) -> &PgPool {
        if self.is_open.get().is_none() && wait::clock_is_stopped() {
            self.is_open.get_or_init(|| client::open(&self.pool));
        }
        &self.pool
    }

    /// The address for any client: `postgres://user:password@host:port/name`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn run(&self) -> &'static Run {
        self.run
    }

    pub(super) async fn take(template: &Template, test: String) -> Result<Db, Error> {
        wait::expect_runtime("a database")?;
        wait::expect_timer()?;
        let clock = HeldClock::new();
        let (run, server) = served::connect().await?;
        let built = template.ensure(run, server).await?;
        let (name, taken) = failed::while_waiting(pool::take(run, &built)).await?;
        let options = server.options.clone().database(&name);
        let pool = client::pool(options, clock.was_stopped());
        let held = Held::new(POSTGRES.name, test);
        let is_open = OnceLock::new();
        Ok(Db { pool, is_open, url: server.url_of(&name), name, taken, run, server, held })
    }
}

impl Deref for Db {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        self.pool()
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        self.held.end(failed::Used::new(self.run, self.server, &self.taken));
    }
}
