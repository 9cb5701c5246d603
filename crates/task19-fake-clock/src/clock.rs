//! The only module that reads the time. `clippy.toml` forbids all other code of this package to do
//! so.

use std::time::{Instant, SystemTime};

/// Tells the time to code that depends on it.
///
/// Production passes [`SystemClock`]. A test passes a clock that the test moves:
///
/// ```
/// use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
///
/// use mock_instant::thread_local::MockClock;
/// use task19_fake_clock::{Clock, SystemClock};
///
/// struct Mocked(Instant);
///
/// impl Clock for Mocked {
///     fn now(&self) -> Instant {
///         self.0 + MockClock::time()
///     }
///
///     fn wall(&self) -> SystemTime {
///         UNIX_EPOCH + MockClock::system_time()
///     }
/// }
///
/// let clock = Mocked(SystemClock.now());
/// let start = clock.now();
///
/// MockClock::advance(Duration::from_secs(3600));
///
/// assert_eq!(clock.now() - start, Duration::from_secs(3600));
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Returns the monotonic time. It never goes backwards. The difference of two readings is the
    /// time that passed between them.
    fn now(&self) -> Instant;

    /// Returns the date and time of day, to show or to store. People and NTP set this clock, so it
    /// may jump in either direction. Never compute a duration from it.
    fn wall(&self) -> SystemTime;
}

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this module is the one that reads the time")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this module is the one that reads the time")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// One reading of both clocks. A decision uses one reading, so that its parts see the same time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) now: Instant,
    pub(crate) wall: SystemTime,
}

impl Reading {
    pub(crate) fn of(clock: &dyn Clock) -> Reading {
        Reading { now: clock.now(), wall: clock.wall() }
    }
}
