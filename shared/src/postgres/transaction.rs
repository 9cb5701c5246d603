//! A transaction that is never committed, on a database that all tests of the run share.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::OnceLock;

use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Postgres, Transaction};
use tokio::sync::OnceCell;

use super::server::Server;
use super::template::{Template, role};
use super::{client, pool, served};
use crate::run::{Run, on_own_thread};
use crate::wait::{self, HeldClock};
use crate::{Error, Heading, fault, verdict};

/// A transaction for one test. Dropping it rolls it back.
///
/// It is cheaper than a database, and proves less. What happens at a commit (deferred constraints,
/// triggers, notifications) does not happen. Code that opens a connection of its own sees nothing
/// of the transaction.
///
/// ```no_run
/// # async fn test() {
/// let mut tx = testenv::begin().await;
/// sqlx::query("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.org')").execute(&mut *tx).await.unwrap();
/// # }
/// ```
#[must_use = "a transaction that is dropped at once is rolled back at once"]
pub struct Tx {
    transaction: Transaction<'static, Postgres>,
    // Closed with the transaction: a connection cannot serve a second test, whose runtime is another.
    _pool: PgPool,
}

/// Begins a transaction on the database that all tests of the run share, with the workspace's
/// `migrations/` applied.
///
/// # Panics
///
/// As [`super::fresh_db`].
///
/// ```no_run
/// # async fn test() {
/// let mut tx = testenv::begin().await;
/// let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut *tx).await.unwrap();
/// assert_eq!(users, 0);
/// # }
/// ```
pub async fn begin() -> Tx {
    start().await.unwrap_or_else(|error| panic!("{error}"))
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

async fn start() -> Result<Tx, Error> {
    wait::expect_timer()?;
    let _until_it_has_begun = HeldClock::new();
    let (run, server) = served::connect().await?;
    let (database, owner) = shared(run, server).await?;
    let options = server.options_of(database, owner.as_deref());
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let transaction = pool.begin().await.map_err(|cause| {
        Error::under(Heading::Given, "no transaction on the shared database")
            .cause(client::said(&cause))
    })?;
    Ok(Tx { transaction, _pool: pool })
}

/// The database that all tests of the run share: its name and its role. It is a copy that nobody
/// gives back.
async fn shared(
    run: &'static Run,
    server: &'static Server,
) -> Result<&'static (String, Option<String>), Error> {
    static SHARED: OnceCell<(String, Option<String>)> = OnceCell::const_new();
    let shared = SHARED.get_or_try_init(|| {
        on_own_thread(async move || {
            let built = Template::workspace().ensure(run, server).await?;
            // A wrong program may commit what the right one rolls back: it gets a database of its own to spoil.
            if fault::is_checked() {
                return Ok((of_this_process(run, &built).await?, role::of(server, &built)));
            }
            let name = format!("shared-database{}", fault::selected().unwrap_or_default());
            Ok((pool::take_shared(run, &built, &name).await?, role::of(server, &built)))
        })
    });
    shared.await
}

/// A database that the tests of this process share. It is given back when the process ends.
async fn of_this_process(run: &'static Run, template: &str) -> Result<String, Error> {
    static TAKEN: OnceLock<(&Run, PathBuf)> = OnceLock::new();
    let (database, taken) = pool::take(run, template).await?;
    TAKEN.get_or_init(|| (run, taken));
    verdict::at_exit(|_| {
        if let Some((run, taken)) = TAKEN.get() {
            pool::give_back(run, taken);
        }
    });
    Ok(database)
}
