//! A transaction that is never committed, on a database that all tests of the run share.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::path::PathBuf;
use std::sync::{OnceLock, PoisonError};

use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Postgres, Transaction};
use tokio::sync::Mutex;

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
/// `migrations/` applied. [`Template::begin`] does the same on your schema.
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
#[track_caller]
pub fn begin() -> impl Future<Output = Tx> {
    begun(Template::workspace(), Location::caller())
}

impl Template {
    /// Begins a transaction on a copy that all tests of the run share: of this template, another one
    /// than that of any other template.
    ///
    /// # Panics
    ///
    /// As [`super::fresh_db`].
    ///
    /// ```no_run
    /// # async fn test() {
    /// let mut tx = testenv::Template::folder("migrations").begin().await;
    /// sqlx::query("INSERT INTO rooms VALUES ('attic')").execute(&mut *tx).await.unwrap();
    /// # }
    /// ```
    #[track_caller]
    pub fn begin(&self) -> impl Future<Output = Tx> + use<> {
        begun(self.clone(), Location::caller())
    }
}

async fn begun(template: Template, asked: &'static Location<'static>) -> Tx {
    start(&template).await.unwrap_or_else(|error| error.raise(asked))
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

async fn start(template: &Template) -> Result<Tx, Error> {
    wait::expect_timer()?;
    let _until_it_has_begun = HeldClock::new();
    let (run, server) = served::connect().await?;
    let (database, owner) = shared(run, server, template).await?;
    let options = server.options_of(&database, owner.as_deref());
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
    template: &Template,
) -> Result<(String, Option<String>), Error> {
    /// What this process knows, by template.
    static SHARED: Mutex<BTreeMap<String, (String, Option<String>)>> =
        Mutex::const_new(BTreeMap::new());
    let built = template.ensure(run, server).await?;
    if let Some(known) = SHARED.lock().await.get(&built) {
        return Ok(known.clone());
    }
    on_own_thread(async move || {
        let mut shared = SHARED.lock().await;
        if let Some(known) = shared.get(&built) {
            return Ok(known.clone()); // another test of the process was quicker
        }
        // A wrong program may commit what the right one rolls back: it gets a database of its own to spoil.
        let database = if fault::is_checked() {
            of_this_process(run, &built).await?
        } else {
            let name = format!("shared-{built}{}", fault::selected().unwrap_or_default());
            pool::take_shared(run, &built, &name).await?
        };
        let owner = role::of(server, &built);
        Ok(shared.entry(built).or_insert((database, owner)).clone())
    })
    .await
}

/// A database that the tests of this process share. It is given back when the process ends.
async fn of_this_process(run: &'static Run, template: &str) -> Result<String, Error> {
    static TAKEN: OnceLock<(&Run, std::sync::Mutex<Vec<PathBuf>>)> = OnceLock::new();
    let (database, file) = pool::take(run, template).await?;
    let (_, taken) = TAKEN.get_or_init(|| (run, std::sync::Mutex::default()));
    taken.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    verdict::at_exit(|_| {
        let Some((run, taken)) = TAKEN.get() else { return };
        for file in std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner)) {
            pool::give_back(run, &file);
        }
    });
    Ok(database)
}
