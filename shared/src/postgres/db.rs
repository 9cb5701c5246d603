//! A database for one test, from its first query to its end.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Once, OnceLock};

use sqlx::postgres::PgPool;

use super::server::Server;
use super::template::{self, Template, role};
use super::{client, failed, pool, served};
use crate::Error;
use crate::provider::announce;
use crate::run::{Run, ledger};
use crate::service::POSTGRES;
use crate::verdict::Held;
use crate::wait::{self, HeldClock};

/// A database for one test.
///
/// Dropping it gives the database back to be removed, and closes its pools for all who have a clone
/// of one. The drop neither waits nor needs a runtime.
/// The database of a failed test stays until the run's server ends or, on a server that outlives
/// the run, for an hour. The line that opens it is printed when the process ends. Only the newest
/// database of a failed test stays, and only the newest sixteen of a run.
///
/// It is a `PgPool` wherever a pool is expected (`&db`), and it has an address for every other
/// client.
///
/// Pool and address use a role that owns the database and is no superuser, as an application's role
/// is. So rights and row security behave as in production. [`Db::superuser`] is for what this role
/// may not do. On an external server, the role is the one in the server's URL.
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
    pool: OnceLock<PgPool>,
    /// Set if the connections were opened beforehand.
    is_open: OnceLock<()>,
    url: String,
    name: String,
    /// The role that owns the database. `None` if it is the role of the server's URL.
    owner: Option<String>,
    superuser: OnceLock<PgPool>,
    taken: PathBuf,
    run: &'static Run,
    server: &'static Server,
    held: Held,
}

/// Returns a database that no other test can see, with the workspace's `migrations/` applied.
///
/// Dropping it removes the database. If the test fails, the database stays, and its `psql` line is
/// printed.
///
/// # Panics
///
/// If no server can be reached or started, or a migration fails. The message says what was tried
/// and what to type.
///
/// ```no_run
/// # async fn test() {
/// let db = testenv::fresh_db().await;
/// let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db.pool()).await.unwrap();
/// assert_eq!(users, 0);
/// # }
/// ```
#[track_caller]
pub fn fresh_db() -> impl Future<Output = Db> {
    Template::workspace().fresh()
}

/// Notes a database that a test is about to create by itself on the run's server. The database is
/// then removed when the run ends.
///
/// A database that is named after the test's own, `format!("{}_archive", db.name())`, needs no note:
/// it is removed with the test's own.
///
/// # Errors
///
/// When no server can be reached or started, or the run's directory cannot be written.
///
/// ```no_run
/// # async fn test() {
/// # let (db, name) = (testenv::fresh_db().await, "a_name_that_the_program_chooses");
/// testenv::postgres::note(name).await.unwrap(); // before it is made: then no end of the test leaves it
/// sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(db.superuser()).await.unwrap();
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
    /// A pool of up to ten connections, opened as they are needed. If the test has stopped tokio's
    /// clock, all of them are opened at once.
    pub fn pool(&self) -> &PgPool {
        let clock_is_stopped = self.is_open.get().is_none() && wait::clock_is_stopped();
        let pool = self.pool.get_or_init(|| {
            let options = self.server.options_of(&self.name, self.owner.as_deref());
            client::pool(options, clock_is_stopped)
        });
        if clock_is_stopped {
            self.is_open.get_or_init(|| client::open(pool));
        }
        pool
    }

    /// A pool of up to ten connections to the same database as a superuser. It is for what the
    /// owner may not do: create roles and databases, install an extension that is not trusted, read
    /// another role's sessions.
    ///
    /// On an external server, the role is the one in the server's URL, with the rights that it has
    /// there. If that role is no superuser, a line on standard error says so.
    ///
    /// ```no_run
    /// # async fn test() {
    /// let db = testenv::fresh_db().await;
    /// let role = format!("{}_reader", db.name()); // roles are the server's: each test needs its own
    /// sqlx::query(sqlx::AssertSqlSafe(format!("CREATE ROLE {role}"))).execute(db.superuser()).await.unwrap();
    /// # }
    /// ```
    pub fn superuser(&self) -> &PgPool {
        self.superuser.get_or_init(|| {
            if !self.server.has_superuser {
                static SAID: Once = Once::new();
                let var = POSTGRES.url_var;
                let what = format!("a test asks for a superuser, which the user of {var} is not");
                SAID.call_once(|| announce(POSTGRES.name, &what));
            }
            let clock_is_stopped = wait::clock_is_stopped();
            let pool = client::pool(self.server.options_of(&self.name, None), clock_is_stopped);
            if clock_is_stopped {
                client::open(&pool);
            }
            pool
        })
    }

    /// The address for the same superuser.
    pub fn superuser_url(&self) -> String {
        self.server.address_of(&self.name, None).whole()
    }

    /// The address for any client: `postgres://user:password@host:port/name`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs texts of statements as the owner, each with all of its statements or none. Their names
    /// are how a failure calls them.
    pub(crate) async fn apply(&self, texts: &[(&str, &str)]) -> Result<(), Error> {
        if texts.is_empty() {
            return Ok(());
        }
        template::apply(&self.server.options_of(&self.name, self.owner.as_deref()), texts).await
    }

    pub(super) fn run(&self) -> &'static Run {
        self.run
    }

    pub(super) async fn take(template: &Template, test: String) -> Result<Db, Error> {
        wait::expect_runtime("a database")?;
        wait::expect_timer()?;
        let _until_it_is_taken = HeldClock::new();
        let (run, server) = served::connect().await?;
        let built = template.ensure(run, server).await?;
        let (name, taken) = failed::while_waiting(pool::take(run, &built)).await?;
        let owner = role::of(server, &built);
        let url = server.address_of(&name, owner.as_deref()).whole();
        let held = Held::new(POSTGRES.name, test);
        let (pool, is_open, superuser) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Db { pool, is_open, url, name, owner, superuser, taken, run, server, held })
    }
}

impl fmt::Debug for Db {
    /// The address has no password, because others may read what a test prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.server.address_of(&self.name, self.owner.as_deref());
        f.debug_tuple("Db").field(&address).finish()
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
        // A clone would lead to a database that is removed at some later moment.
        for pool in [&self.pool, &self.superuser].into_iter().filter_map(OnceLock::get) {
            drop(pool.close()); // it is closed for new queries; nobody waits for the others
        }
        let owner = self.owner.take();
        self.held.end(failed::Used::new(self.run, self.server, &self.taken, owner));
    }
}
