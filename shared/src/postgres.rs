//! A PostgreSQL database for one test: migrated, private, ready before the test asks.
//!
//! A template is built once per content of its migrations. The reaper keeps copies of the template
//! ready, and a test takes a copy by renaming a file. So a test pays for one connection and its own
//! queries, not for a copy and not for the migrations.
//!
//! Private to the test: everything inside a database, with its advisory locks, large objects and
//! notifications. Not private, because there is only one server: roles, tablespaces, and what
//! `ALTER SYSTEM` changes.
//!
//! ```no_run
//! # async fn test() {
//! use testenv::postgres::{begin, fresh_db};
//!
//! // Private, with everything in it …
//! let db = fresh_db().await;
//! sqlx::query("CREATE TABLE mine ()").execute(db.pool()).await.unwrap();
//! // … or cheaper: a transaction, on a database that all tests of the run share.
//! let mut tx = begin().await;
//! sqlx::query("DELETE FROM users").execute(&mut *tx).await.unwrap();
//! # }
//! ```
//!
//! Invariant: a database is handed out once.

mod wake;
mod client;
mod db;
mod failed;
mod filler;
mod pool;
mod pooler;
mod served;
mod server;
pub mod snapshot;
mod template;
mod transaction;
mod whole;

use crate::run::cleaner::Cleaner;
use crate::server::Starter;
use crate::service::POSTGRES;

pub use db::{Db, fresh_db, note};
pub use template::{BuildError, Template};
pub use transaction::{Tx, begin};

pub(crate) use client::forget_options_of_the_shell;

/// How the server is started before a test asks for it.
pub(crate) const START: Starter = (POSTGRES.name, || crate::server::start(template::of_the_run()));

/// Removes databases on a server that does not end with the run, and serves the copies that are
/// kept ready.
pub(crate) const CLEANER: Cleaner = Cleaner {
    is_external: true,
    serve: Some(filler::fill),
    stop: Some(filler::stop_filling),
    release: Some(served::release_memory),
    ..Cleaner::new("postgres", server::remove)
};
