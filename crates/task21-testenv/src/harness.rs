//! The trait that every harness implements.

use std::future::Future;
use std::ops::Deref;

use sqlx::PgPool;

use crate::Lab;

/// Gives each test a database of its own.
pub trait Harness {
    /// The database. `&*db` is an executor of sqlx. Dropping it releases the database.
    type Db: Deref<Target = PgPool> + Send + 'static;

    /// Returns a harness that has started nothing yet.
    fn on(lab: &Lab) -> Self;

    /// Returns a migrated database that no other test has.
    fn fresh_db(&self) -> impl Future<Output = Self::Db>;
}
