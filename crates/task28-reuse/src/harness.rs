//! The one thing that a run wants of a harness.

use std::error::Error;
use std::future::Future;

use crate::Run;

/// Whatever went wrong.
pub type Problem = Box<dyn Error + Send + Sync>;

/// Finds the kept server or starts it. What it knows of earlier runs is what they left on the machine: it has no state of its own.
pub trait Harness {
    /// Returns the URL of a migrated database that nobody else has, on the server that this run may use.
    fn fresh_db(run: &Run) -> impl Future<Output = Result<String, Problem>>;
}
