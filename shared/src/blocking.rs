//! For a test that is not async: the calls of the harness that wait.
//!
//! A plain `#[test]`, a constructor that is not async, and a client that blocks (`postgres`, diesel,
//! `redis::Client`) need no runtime. [`wait()`] is for everything that has no call here, such as
//! `proxy.latency(…)` or `topic.read(…)`.
//!
//! Everything here also works inside a runtime. It then blocks the thread on which it is called: in
//! a runtime of one thread, no other task runs meanwhile.
//!
//! ```no_run
//! #[test]
//! fn nobody_is_there_yet() {
//!     let db = testenv::blocking::fresh_db();
//!     let program = std::process::Command::new("my-program").env("DATABASE_URL", db.url()).status();
//!     assert!(program.unwrap().success());
//! }
//! ```

use std::future::Future;

/// Waits for a future on this thread, inside a runtime too. Its timers, sockets and tasks are those
/// of a runtime that the harness keeps in the background; that runtime ends with the process.
///
/// ```no_run
/// # #[cfg(feature = "toxiproxy")]
/// # fn test() -> Result<(), testenv::Error> {
/// use std::time::Duration;
/// use testenv::{Direction::Downstream, blocking};
///
/// let proxy = blocking::fresh_proxy("127.0.0.1:8080");
/// blocking::wait(proxy.latency(Downstream, Duration::from_millis(500)))?;
/// # Ok(()) }
/// ```
pub fn wait<F: Future>(future: F) -> F::Output {
    crate::background::wait(future)
}

/// As [`crate::fresh_db`].
///
/// # Panics
///
/// As [`crate::fresh_db`].
#[cfg(all(feature = "integration", feature = "postgres"))]
#[track_caller]
pub fn fresh_db() -> crate::Db {
    wait(crate::fresh_db())
}

/// As [`crate::fresh_redis`].
///
/// # Panics
///
/// As [`crate::fresh_redis`].
#[cfg(all(feature = "integration", feature = "redis"))]
#[track_caller]
pub fn fresh_redis() -> crate::Redis {
    wait(crate::fresh_redis())
}

/// As [`crate::fresh_topic`].
///
/// # Panics
///
/// As [`crate::fresh_topic`].
#[cfg(feature = "kafka")]
#[track_caller]
pub fn fresh_topic() -> crate::Topic {
    wait(crate::fresh_topic())
}

/// As [`crate::fresh_bucket`].
///
/// # Panics
///
/// As [`crate::fresh_bucket`].
#[cfg(feature = "s3")]
#[track_caller]
pub fn fresh_bucket() -> crate::Bucket {
    wait(crate::fresh_bucket())
}

/// As [`crate::fresh_proxy`].
///
/// # Panics
///
/// As [`crate::fresh_proxy`].
#[cfg(feature = "toxiproxy")]
#[track_caller]
pub fn fresh_proxy(upstream: impl std::fmt::Display) -> crate::Proxy {
    wait(crate::fresh_proxy(upstream))
}
