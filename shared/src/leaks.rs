//! Leaked tasks: a test fails if a task or a blocking thread of its runtime outlives the test.
//!
//! `#[tokio::test]` builds a runtime, and drops the runtime with all its tasks at the end. So a task
//! that nobody ended is never noticed. The runtimes of this module look before they are dropped. They
//! wait until everything that the test spawned has ended, for at most [`GRACE`]. A clean test does not
//! wait. What is then still alive fails the test.
//!
//! One line covers a whole file of tests. It puts this module's [`tokio`](mod@tokio) in the place of the crate:
//!
//! ```no_run
//! use testenv::leaks::tokio;
//!
//! #[tokio::test]
//! async fn everything_ends() {
//!     let greeting = tokio::spawn(async { "hello" });
//!     assert_eq!(greeting.await.unwrap(), "hello");
//! }
//! ```
//!
//! For one test, write `#[tokio::test(crate = "testenv::leaks::tokio")]`, or call [`run`].
//!
//! The message says where each of them was spawned:
//!
//! - A blocking thread is always named. The name of a new thread is asked on the thread that spawns, so
//!   the stack of that moment shows the place.
//! - A task is named if tokio was compiled with `--cfg tokio_unstable`. Without it, tokio does not
//!   tell its users about spawned tasks. The message then has only their number, and the command that
//!   names them.
//!
//! Invariant: a test passes only if there was a moment after its end at which its runtime had no task
//! and no busy blocking thread, except those that the test [allowed](allow).

mod census;
mod place;
mod runtime;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use census::Census;
pub use runtime::{Builder, Runtime};

/// How long tasks may take to end after the test.
///
/// Ending takes microseconds, and a machine that is busy with a build needs a second. Only a test that
/// leaks waits for so long.
pub const GRACE: Duration = Duration::from_secs(5);

/// The crate `tokio`, with a runtime that looks for leaks.
///
/// `use testenv::leaks::tokio;` makes every `#[tokio::test]` of the file look for leaks. All other
/// items are those of the crate.
pub mod tokio {
    pub use ::tokio::*;

    /// The module `tokio::runtime`, with a [`Builder`](crate::leaks::Builder) whose runtimes look for leaks.
    pub mod runtime {
        pub use ::tokio::runtime::*;

        pub use crate::leaks::{Builder, Runtime};
    }
}

thread_local! {
    /// The census of the test that this thread runs.
    static CURRENT: RefCell<Option<Arc<Census>>> = const { RefCell::new(None) };
}

/// Runs `future` in a runtime of its own, and returns its result when everything that it spawned has
/// ended.
///
/// # Panics
///
/// If a task or a blocking thread is left [`GRACE`] after the end of `future`. The message says how
/// many there are, and where they were spawned. A panic of `future` passes through; its leaks are not
/// looked for.
///
/// ```
/// use testenv::leaks;
///
/// let two = leaks::run(async { tokio::spawn(async { 1 + 1 }).await.unwrap() });
/// assert_eq!(two, 2);
/// ```
#[track_caller]
pub fn run<F: Future>(future: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime without workers needs three file descriptors").block_on(future)
}

/// Lets up to `tasks` more tasks or blocking threads be left at the end of this test. `why` says who
/// needs them.
///
/// Use it for a client that has a task in the background and no way to wait for its end.
///
/// # Panics
///
/// If it is called anywhere but in the body of a test that looks for leaks.
///
/// ```
/// use testenv::leaks;
///
/// leaks::run(async {
///     leaks::allow(1, "a task that waits for the next test");
///     tokio::spawn(std::future::pending::<()>());
/// });
/// ```
#[track_caller]
pub fn allow(tasks: usize, why: &'static str) {
    CURRENT.with_borrow(|census| {
        let census = census
            .as_ref()
            .expect("leaks::allow is called in the body of a test that looks for leaks");
        census.allow(tasks, why);
    });
}

#[cfg(test)]
mod tests;
