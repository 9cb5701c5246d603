//! The only place that sleeps.
//!
//! Time here is real time, on a thread of its own. A test that stops tokio's clock
//! (`tokio::time::pause`, `start_paused = true`) waits for a server like any other test. A runtime
//! without a timer also works. [`until_blocking`] needs no runtime at all:
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
//! Invariant: every wait has a limit. A wait that reaches its limit says what was still missing and
//! what was seen last.

use std::fmt::Display;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_timer::Delay;

use crate::{Error, Heading};

/// Short compared with anything that a server does, and so long that 50 waiting tests do not keep a
/// core busy.
const POLL: Duration = Duration::from_millis(20);

/// Asks `probe` every 20 ms, and returns what it found as soon as it finds it.
///
/// The probe returns `Err` with what it saw until the thing is there. A probe that hangs is cut off
/// at the limit.
///
/// # Errors
///
/// When `limit` is over. The message names `what` was still missing and the last thing seen.
///
/// ```
/// use std::{cell::Cell, time::Duration};
/// use testenv::wait;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
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
        match within(left, probe()).await {
            Some(Ok(found)) => return Ok(found),
            Some(Err(not_yet)) => seen.note(&not_yet),
            None => return Err(seen.timeout(limit, what, true)),
        }
        if start.elapsed() + POLL >= limit {
            return Err(seen.timeout(limit, what, false));
        }
        nap(POLL).await;
    }
}

/// The pause before the next question. It grows with the time that was waited: what did not come soon
/// is not expected at once, and on a busy machine, a hundred tests that ask every millisecond keep
/// away what they wait for.
fn pause(poll: Duration, waited: Duration) -> Duration {
    poll.max(POLL.min(waited / 8))
}

/// Like [`until`], with a probe whose future is independent of others, which makes the wait
/// [`Send`]. Asks every `poll` at first, later less often.
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
        let pause = pause(poll, start.elapsed());
        if start.elapsed() + pause >= limit {
            return Err(seen.timeout(limit, what, false));
        }
        nap(pause).await;
    }
}

/// Like [`until`], for code without a runtime: locks, child processes, the reaper.
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

/// Like [`until_blocking`], but asks every `poll` at first, later less often.
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
        let pause = pause(poll, start.elapsed());
        if start.elapsed() + pause >= limit {
            return Err(seen.timeout(limit, what, false));
        }
        nap_blocking(pause);
    }
}

/// Lets time pass, for when the time itself matters, as in the reaper's grace.
pub(crate) fn nap_blocking(length: Duration) {
    #[expect(clippy::disallowed_methods, reason = "this module is the one that sleeps")]
    std::thread::sleep(length);
}

/// Like [`nap_blocking`], without blocking a thread. `tokio::time::sleep` would end at once if a
/// test has stopped tokio's clock.
pub(crate) async fn nap(length: Duration) {
    Delay::new(length).await;
}

/// Returns what `work` returned, or `None` if `limit` is over first.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut over) = (pin!(work), Delay::new(limit));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => pin!(&mut over).poll(context).map(|()| None),
    })
    .await
}

/// Stops tokio's clock from leaping, if a test has stopped the clock, for as long as the value
/// lives.
///
/// A stopped clock leaps to the next timer whenever the runtime has nothing to do. A runtime that
/// waits for a server's answer has nothing to do, so any limit would be over at once. A task on a
/// blocking thread prevents that.
pub(crate) struct HeldClock {
    _held: Option<std::sync::mpsc::Sender<()>>,
}

impl HeldClock {
    /// Call it inside a runtime.
    pub(crate) fn new() -> HeldClock {
        let held = clock_is_stopped().then(|| {
            let (held, released) = std::sync::mpsc::channel();
            // Ends when the value is dropped.
            tokio::task::spawn_blocking(move || released.recv());
            held
        });
        HeldClock { _held: held }
    }
}

/// Fails outside a runtime. The client of a service needs one.
pub(crate) fn expect_runtime(what: &str) -> Result<(), Error> {
    let inside = tokio::runtime::Handle::try_current().map(drop);
    inside.map_err(|_| {
        Error::under(Heading::Runtime, format!("{what} is available inside a Tokio runtime only"))
            .fix("write #[tokio::test] above the test, or block_on in a runtime")
            .fix("or, in a test that is not async, call what the module testenv::blocking has")
    })
}

/// Fails if the runtime has no timer. The pool of a database needs a timer, and panics at the first
/// query without it.
pub(crate) fn expect_timer() -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "nobody awaits it")]
    let timer = std::panic::catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO)));
    timer.map_err(|_| {
        Error::under(
            Heading::Runtime,
            "a database is available in a Tokio runtime with a timer only",
        )
        .fix("write enable_all() where the runtime is built; #[tokio::test] does")
    })
}

/// Whether time stands still in this runtime. tokio does not say so, but real time passes between
/// two looks.
pub(crate) fn clock_is_stopped() -> bool {
    let (tokios, real) = (tokio::time::Instant::now(), Instant::now());
    while real.elapsed().is_zero() {
        std::hint::spin_loop();
    }
    tokios.elapsed().is_zero()
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
        Error::under(Heading::Missing, format!("still missing after {limit:?}: {what}")).cause(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(60);

    #[tokio::test(start_paused = true)]
    async fn a_stopped_clock_of_tokios_does_not_end_a_wait() {
        let start = Instant::now();

        let never = until(SHORT, "the end", async || Err::<(), _>("not yet")).await.unwrap_err();

        assert!(start.elapsed() + POLL >= SHORT, "{:?}: {never}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_test_itself_sleeps_passes_at_once_while_it_is_waited_for() {
        #[expect(clippy::disallowed_methods, reason = "the clock stands still: it takes no time")]
        let hour = tokio::spawn(tokio::time::sleep(Duration::from_secs(3600)));

        let over = until(Duration::from_secs(5), "an hour of the test's", async || {
            if hour.is_finished() { Ok(()) } else { Err("it sleeps") }
        });

        over.await.unwrap();
    }

    #[test]
    fn a_runtime_without_a_timer_will_do_and_a_probe_that_hangs_is_cut_off() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

        let cut = runtime.block_on(until(SHORT, "an answer", async || {
            std::future::pending::<Result<(), &str>>().await
        }));

        assert!(cut.unwrap_err().to_string().contains("the first look did not return"));
    }
}
