//! What a test leaves, kept until its runner says whether the test failed.
//!
//! A panic does not tell: a test that returns `Err` does not panic, and one with `#[should_panic]`, or whose property shrinks, panics and may pass. No runner tells
//! the test's process its verdict, but libtest and nextest end the process of a failed test with another status than 0. So a guard that is dropped gives
//! its database (say) back only where the test goes on without it; else the database waits here for the end of the process:
//!
//! - status 0: no test failed, and all of it goes;
//! - another: a test failed. Where several have left something, what is left of those stays that panicked and should not have, that should have and did not, and
//!   that return something, which may have been `Err`: their source tells;
//! - a signal, or `abort`: nobody gave a verdict. The run's end removes what it finds.
//!
//! Of a test only the newest stays, and of a process only so much as each service has room for: the rest goes at once.
//!
//! Invariant: what waits here is bounded, whatever the tests do.

mod exit;
mod source;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::{current_test, wait};

/// A test that runs on for so long after it dropped its guard did not end there.
const GOES_ON: Duration = Duration::from_secs(2);

/// How often it is looked whether tests go on, as long as something waits for that.
const LOOK: Duration = Duration::from_secs(1);

/// What a guard stood for, after its end.
pub(crate) trait Evidence: Send {
    /// How many such may wait in a process, of tests that panicked and of others.
    fn room(&self) -> usize;
    /// Lets it stay after the process: its test failed.
    fn keep(&mut self);
    /// Lets it be removed.
    fn let_go(&mut self);
    /// Whether it is still kept: another process of the run may have needed the room.
    fn is_there(&self) -> bool {
        true
    }
    /// How somebody looks at it.
    fn told(&self) -> Told;
}

/// What is said of a failed test.
#[derive(Clone)]
pub(crate) struct Told {
    /// `database stays until the run ends`
    pub(crate) stays: String,
    /// The command that opens it.
    pub(crate) open: Option<String>,
    /// What else could help, a line each.
    pub(crate) more: Vec<String>,
}

/// A guard in the hands of a test.
#[derive(Debug)]
pub(crate) struct Held {
    service: &'static str,
    test: String,
    since: Instant,
}

/// Something that waits for the verdict.
struct Left {
    service: &'static str,
    test: String,
    at: Instant,
    has_panicked: bool,
    /// Ends with the thread that dropped the guard.
    thread: Weak<()>,
    evidence: Box<dyn Evidence>,
}

#[derive(Default)]
struct Waiting {
    left: Vec<Left>,
    /// How many guards of a service each test holds.
    held: HashMap<(&'static str, String), usize>,
    is_watched: bool,
}

static WAITING: Mutex<Option<Waiting>> = Mutex::new(None);

thread_local! {
    static ALIVE: Arc<()> = Arc::new(());
}

/// Says whether nobody looks at what failed tests leave, because they are meant to fail.
static NOBODY_LOOKS: OnceLock<fn() -> bool> = OnceLock::new();

/// Has this function say whether what failed tests leave is kept; called before `main`.
pub(crate) fn keep_nothing_if(nobody_looks: fn() -> bool) {
    NOBODY_LOOKS.set(nobody_looks).ok(); // a second one would be the same
}

fn nobody_looks() -> bool {
    NOBODY_LOOKS.get().is_some_and(|nobody_looks| nobody_looks())
}

impl Held {
    pub(crate) fn new(service: &'static str, test: String) -> Held {
        *waiting(&mut lock()).held.entry((service, test.clone())).or_default() += 1;
        Held { service, test, since: Instant::now() }
    }

    /// The guard is dropped: what it stood for waits for the verdict, or goes.
    pub(crate) fn end(&self, mut evidence: impl Evidence + 'static) {
        let has_panicked = std::thread::panicking();
        let mut going = Vec::new();
        let mut guard = lock();
        let waiting = waiting(&mut guard);
        let holds_more = waiting.release(self.service, &self.test);
        let is_older = |left: &Left| left.service == self.service && left.test == self.test;
        if nobody_looks()
            || !has_panicked
                && (holds_more
                    || waiting.left.iter().any(|left| is_older(left) && left.has_panicked))
        {
            drop(guard);
            evidence.let_go();
            return;
        }
        // What a test held together stays together.
        let is_replaced =
            |left: &mut Left| is_older(left) && (!left.has_panicked || left.at < self.since);
        going.extend(waiting.left.extract_if(.., is_replaced));
        if has_panicked {
            evidence.keep();
        }
        let room = evidence.room();
        waiting.left.push(Left {
            service: self.service,
            test: self.test.clone(),
            at: Instant::now(),
            has_panicked,
            thread: ALIVE.try_with(Arc::downgrade).unwrap_or_default(),
            evidence: Box::new(evidence),
        });
        going.extend(waiting.make_room(self.service, has_panicked, room));
        let must_watch = !std::mem::replace(&mut waiting.is_watched, true);
        drop(guard);
        exit::hear(settle);
        if must_watch
            && std::thread::Builder::new().name("testenv-verdict".into()).spawn(watch).is_err()
        {
            // Then it waits for the end of the process.
            self::waiting(&mut lock()).is_watched = false;
        }
        let_go(going);
    }
}

impl Waiting {
    /// Whether the test holds other guards of the service.
    fn release(&mut self, service: &'static str, test: &str) -> bool {
        let key = (service, test.to_owned());
        let Some(count) = self.held.get_mut(&key) else { return false };
        *count -= 1;
        let holds_more = *count > 0;
        if !holds_more {
            self.held.remove(&key);
        }
        holds_more
    }

    /// What is too much: the oldest, of tests that panicked or of others.
    fn make_room(&mut self, service: &str, has_panicked: bool, room: usize) -> Vec<Left> {
        let is_kin = |left: &Left| left.service == service && left.has_panicked == has_panicked;
        let mut too_many =
            self.left.iter().filter(|left| is_kin(left)).count().saturating_sub(room);
        // The list is in the order in which they came.
        let goes = |left: &mut Left| {
            let goes = too_many > 0 && is_kin(left);
            too_many -= usize::from(goes);
            goes
        };
        self.left.extract_if(.., goes).collect()
    }
}

/// Lets go of what waits only in case its test returned `Err`: another test needs the room.
#[cfg(all(feature = "integration", any(feature = "postgres", feature = "redis")))]
pub(crate) fn make_room(service: &str) {
    let is_spare = |left: &mut Left| left.service == service && !left.has_panicked;
    let going: Vec<Left> = waiting(&mut lock()).left.extract_if(.., is_spare).collect();
    let_go(going);
}

/// How many of a service wait whose tests did not panic.
#[cfg(all(feature = "integration", feature = "postgres"))]
pub(crate) fn spare(service: &str) -> usize {
    let mut guard = lock();
    let left = waiting(&mut guard).left.iter();
    left.filter(|left| left.service == service && !left.has_panicked).count()
}

/// Lets go of what tests gave back that go on, as long as there may be such.
fn watch() {
    loop {
        wait::nap_blocking(LOOK);
        let mut guard = lock();
        let waiting = waiting(&mut guard);
        let goes_on = |left: &Left| !left.has_panicked && left.thread.strong_count() > 0;
        let is_due = |left: &mut Left| goes_on(left) && left.at.elapsed() >= GOES_ON;
        let due: Vec<Left> = waiting.left.extract_if(.., is_due).collect();
        waiting.is_watched = waiting.left.iter().any(goes_on);
        let is_done = !waiting.is_watched;
        drop(guard);
        let_go(due);
        if is_done {
            return;
        }
    }
}

/// The process ends with this status, where that can be known.
fn settle(status: Option<i32>) {
    let left = std::mem::take(&mut waiting(&mut lock()).left);
    let (mut failed, passed) = match status {
        Some(0) => (Vec::new(), left),
        Some(_) if current_test::is_only() => (sure(left), Vec::new()),
        Some(_) => judge(left),
        None => {
            let (panicked, ended) = left.into_iter().partition(|left| left.has_panicked);
            (sure(panicked), ended)
        }
    };
    let_go(passed);
    for (left, _) in failed.iter_mut().filter(|(left, _)| !left.has_panicked) {
        left.evidence.keep();
    }
    failed.retain(|(left, _)| left.evidence.is_there());
    words::say(&failed);
}

/// What is left of a test that failed, and whether that is sure.
type Failed = (Left, bool);

fn sure(left: Vec<Left>) -> Vec<Failed> {
    left.into_iter().map(|left| (left, true)).collect()
}

/// Parts what is left of tests of which at least one failed into what stays and what goes.
fn judge(left: Vec<Left>) -> (Vec<Failed>, Vec<Left>) {
    let kinds = source::kinds(left.iter().map(|left| left.test.as_str()));
    let (mut failed, mut doubtful, mut passed) = (Vec::new(), Vec::new(), Vec::new());
    for left in left {
        match (kinds.get(&left.test), left.has_panicked) {
            (Some(kind), true) if kind.should_panic => doubtful.push(left),
            (Some(kind), false) if kind.should_panic => failed.push((left, true)),
            (Some(kind), false) if kind.returns => failed.push((left, false)),
            (Some(_), false) => passed.push(left),
            (_, true) => failed.push((left, true)),
            (None, false) => doubtful.push(left),
        }
    }
    // One that should panic may have panicked with other words than it should, and one that is not found may have returned `Err`.
    if failed.is_empty() {
        failed = doubtful.into_iter().map(|left| (left, false)).collect();
    } else {
        passed.append(&mut doubtful);
    }
    (failed, passed)
}

fn let_go(left: Vec<Left>) {
    for mut left in left {
        left.evidence.let_go();
    }
}

fn lock() -> MutexGuard<'static, Option<Waiting>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn waiting<'a>(guard: &'a mut MutexGuard<'static, Option<Waiting>>) -> &'a mut Waiting {
    guard.get_or_insert_default()
}

#[cfg(all(test, feature = "integration", feature = "postgres"))]
mod tests;
