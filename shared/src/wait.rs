//! The only place that sleeps.
//!
//! [`until`] needs a Tokio runtime with its timer (feature `time`; `#[tokio::test]` has it on), [`until_blocking`] needs none:
//!
//! ```
//! use std::time::Duration;
//! use testenv::wait::until_blocking;
//!
//! let found = until_blocking(Duration::from_secs(2), "a temporary directory", || {
//!     let dir = std::env::temp_dir();
//!     if dir.exists() { Ok(dir) } else { Err("not there") }
//! });
//! assert!(found.is_ok());
//! ```
//!
//! Invariant: every wait has a limit, and a wait that reaches it says what was still missing and what was seen last.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::Error;

/// Short beside anything a server does, long enough that 50 waiting tests do not keep a core busy.
const POLL: Duration = Duration::from_millis(20);

/// Returns what `probe` found, as soon as it finds it; asks every 20 ms.
///
/// The probe answers `Err` with what it saw as long as the thing is not there. A probe that itself hangs is cut off at the limit.
///
/// # Errors
///
/// When `limit` is over. The message names `what` was still missing and the last thing seen.
///
/// ```
/// use std::{cell::Cell, time::Duration};
/// use testenv::wait;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let asked = Cell::new(0);
/// let answer = wait::until(Duration::from_secs(2), "three questions", async || {
///     asked.set(asked.get() + 1);
///     if asked.get() == 3 { Ok("yes") } else { Err(format!("{} so far", asked.get())) }
/// });
/// assert_eq!(answer.await.unwrap(), "yes");
/// # });
/// ```
pub async fn until<T, E: Display>(
    limit: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, Error> {
    let start = Instant::now();
    let mut seen = Seen::default();
    loop {
        let left = limit.saturating_sub(start.elapsed());
        match tokio::time::timeout(left, probe()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(not_yet)) => seen.note(&not_yet),
            Err(_) => return Err(seen.timeout(limit, what, true)),
        }
        if start.elapsed() + POLL >= limit {
            return Err(seen.timeout(limit, what, false));
        }
        nap(POLL).await;
    }
}

/// The same with a probe whose future stands alone, which makes the wait [`Send`]; asks every `poll`.
#[cfg(all(feature = "integration", any(feature = "postgres", feature = "redis")))]
pub(crate) async fn until_every<T, E: Display, F: Future<Output = Result<T, E>>>(
    poll: Duration,
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> F,
) -> Result<T, Error> {
    let start = Instant::now();
    let mut seen = Seen::default();
    loop {
        match probe().await {
            Ok(found) => return Ok(found),
            Err(not_yet) => seen.note(&not_yet),
        }
        if start.elapsed() + poll >= limit {
            return Err(seen.timeout(limit, what, false));
        }
        nap(poll).await;
    }
}

/// The same as [`until`] for code without a runtime: locks, child processes, the keeper.
///
/// # Errors
///
/// When `limit` is over. A probe that hangs is not cut off.
///
/// ```
/// use std::time::Duration;
/// use testenv::wait;
///
/// let mut answers = ["starting", "starting", "ready"].into_iter();
/// let ready = wait::until_blocking(Duration::from_secs(2), "a server that is ready", || match answers.next() {
///     Some("ready") => Ok("ready"),
///     other => Err(format!("it is {other:?}")),
/// });
/// assert_eq!(ready.unwrap(), "ready");
///
/// let never = wait::until_blocking(Duration::from_millis(50), "the end", || Err::<(), _>("still running"));
/// assert!(never.unwrap_err().to_string().contains("missing after 50ms: the end"));
/// ```
pub fn until_blocking<T, E: Display>(
    limit: Duration,
    what: &str,
    probe: impl FnMut() -> Result<T, E>,
) -> Result<T, Error> {
    until_blocking_every(POLL, limit, what, probe)
}

/// The same, asked every `poll`.
pub(crate) fn until_blocking_every<T, E: Display>(
    poll: Duration,
    limit: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T, E>,
) -> Result<T, Error> {
    let start = Instant::now();
    let mut seen = Seen::default();
    loop {
        match probe() {
            Ok(found) => return Ok(found),
            Err(not_yet) => seen.note(&not_yet),
        }
        if start.elapsed() + poll >= limit {
            return Err(seen.timeout(limit, what, false));
        }
        nap_blocking(poll);
    }
}

/// Lets time pass where time itself is meant, as in the keeper's grace.
pub(crate) fn nap_blocking(length: Duration) {
    #[expect(clippy::disallowed_methods, reason = "this module is the one that sleeps")]
    std::thread::sleep(length);
}

pub(crate) async fn nap(length: Duration) {
    #[expect(clippy::disallowed_methods, reason = "this module is the one that sleeps")]
    tokio::time::sleep(length).await;
}

#[derive(Default)]
struct Seen {
    last: Option<String>,
    times: usize,
}

impl Seen {
    fn note(&mut self, not_yet: &impl Display) {
        self.last = Some(not_yet.to_string());
        self.times += 1;
    }

    fn timeout(self, limit: Duration, what: &str, hung: bool) -> Error {
        let seen = match (self.last, hung) {
            (Some(last), false) => format!("seen last, after {} looks: {last}", self.times),
            (Some(last), true) => format!("the look after \"{last}\" did not return"),
            (None, _) => "the first look did not return".into(),
        };
        Error::new(format!("still missing after {limit:?}: {what}")).cause(seen)
    }
}
