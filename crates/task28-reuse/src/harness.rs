//! The trait that every harness implements.

use std::error::Error;
use std::future::Future;

use crate::Run;

/// Any error of a harness.
pub type Problem = Box<dyn Error + Send + Sync>;

/// Finds the kept server or starts it. A harness has no state: it knows earlier runs only by what
/// they left on the machine.
pub trait Harness {
    /// Returns the URL of a migrated private database, on the server that this run may use.
    fn fresh_db(run: &Run) -> impl Future<Output = Result<String, Problem>>;
}
