//! The one thing that a test wants of a harness.

use std::future::Future;
use std::ops::Deref;

use sqlx::PgPool;

use crate::Lab;

/// Gives each test a database of its own.
pub trait Harness {
    /// The database: `&*db` is an executor of sqlx. Dropping it gives it back.
    type Db: Deref<Target = PgPool> + Send + 'static;

    /// Returns a harness that has started nothing yet.
    fn on(lab: &Lab) -> Self;

    /// Returns a migrated database that nobody else has.
    fn fresh_db(&self) -> impl Future<Output = Self::Db>;
}
