//! Keeps what a test leaves until its runner says whether the test failed.
//!
//! A panic does not say whether a test failed. A test that returns `Err` fails without a panic. A
//! test with `#[should_panic]`, or one whose property shrinks, panics and may pass. No runner tells
//! the test's process the verdict, but libtest and nextest end the process of a failed test with a
//! status other than 0. So when a test drops a guard, its database is given back only if the test
//! goes on without it. Otherwise the database waits here for the end of the process:
//!
//! - status 0: no test failed, and every database is given back;
//! - another status: a test failed. If several tests have left something, it stays for three kinds
//!   of tests, which their source tells apart: those that panicked and should not have, those that
//!   should have panicked and did not, and those that return something, which may have been `Err`;
//! - a signal, or `abort`: there is no verdict. The end of the run removes what it finds.
//!
//! Only the newest object of a test stays, and of a process only as many as each service has room
//! for. The others are given back at once.
//!
//! Invariant: what waits here is bounded, whatever the tests do.

mod exit;
mod panics;
mod source;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

#[cfg(all(feature = "integration", feature = "postgres"))]
pub(crate) use exit::hear as at_exit;

use crate::{current_test, wait};

/// A test that continues for this long after it dropped its guard did not end there.
const GOES_ON: Duration = Duration::from_secs(2);

/// How often we look whether tests continue, as long as something waits for that.
const LOOK: Duration = Duration::from_secs(1);

/// The object that a dropped guard represented, for example a database.
pub(crate) trait Evidence: Send {
    /// How many such objects may wait in a process. The limit holds separately for tests that
    /// panicked and for others.
    fn room(&self) -> usize;
    /// Keeps the object after the process, because its test failed. Nothing has to be done for one
    /// that stays by itself.
    fn keep(&mut self) {}
    /// Allows the object to be removed.
    fn let_go(&mut self) {}
    /// Whether the object is still kept. Another process of the run may have needed its room.
    fn is_there(&self) -> bool {
        true
    }
    /// The variable that the test needs in order to do the same again, as a shell takes it.
    fn again_with(&self) -> Option<String> {
        None
    }
    /// How a person can look at the object.
    fn told(&self) -> Told;
}

/// What is printed about the object of a failed test.
#[derive(Clone)]
pub(crate) struct Told {
    /// `database stays until the run ends`
    pub(crate) stays: String,
    /// The command that opens the object.
    pub(crate) open: Option<String>,
    /// What else may help, one line each.
    pub(crate) more: Vec<String>,
}

/// A guard that a test holds.
#[derive(Debug)]
pub(crate) struct Held {
    service: &'static str,
    test: String,
    since: Instant,
}

/// An object that waits for the verdict.
struct Left {
    service: &'static str,
    test: String,
    at: Instant,
    has_panicked: bool,
    /// It is nothing to look at, only something to know about the test.
    is_note: bool,
    /// Dead once the thread that dropped the guard has ended.
    thread: Weak<()>,
    evidence: Box<dyn Evidence>,
}

#[derive(Default)]
struct Waiting {
    left: Vec<Left>,
    /// What tests used without holding it, once for each test.
    notes: Vec<Left>,
    /// How many guards of a service each test holds.
    held: HashMap<(&'static str, String), usize>,
    /// When each test that holds none any more dropped its last one.
    dropped: BTreeMap<(&'static str, String), Instant>,
    is_watched: bool,
}

static WAITING: Mutex<Option<Waiting>> = Mutex::new(None);

thread_local! {
    static ALIVE: Arc<()> = Arc::new(());
}

/// Says that nobody looks at what failed tests leave, because these tests are meant to fail.
static NOBODY_LOOKS: OnceLock<fn() -> bool> = OnceLock::new();

/// Sets the function that says so. It is called before `main`.
pub(crate) fn keep_nothing_if(nobody_looks: fn() -> bool) {
    NOBODY_LOOKS.set(nobody_looks).ok(); // a second one would be the same
}

fn nobody_looks() -> bool {
    NOBODY_LOOKS.get().is_some_and(|nobody_looks| nobody_looks())
}

impl Held {
    pub(crate) fn new(service: &'static str, test: String) -> Held {
        let mut guard = lock();
        let waiting = waiting(&mut guard);
        waiting.dropped.remove(&(service, test.clone()));
        *waiting.held.entry((service, test.clone())).or_default() += 1;
        Held { service, test, since: Instant::now() }
    }

    /// Called when the guard is dropped: its object waits for the verdict, or is given back.
    pub(crate) fn end(&self, mut evidence: impl Evidence + 'static) {
        let has_panicked = std::thread::panicking();
        let mut going = Vec::new();
        let mut guard = lock();
        let waiting = waiting(&mut guard);
        let holds_more = waiting.release(self.service, &self.test);
        let is_older = |left: &Left| left.service == self.service && left.test == self.test;
        let is_over = !has_panicked
            && (holds_more || waiting.left.iter().any(|left| is_older(left) && left.has_panicked));
        if !has_panicked && !is_over && !nobody_looks() {
            waiting.dropped.insert((self.service, self.test.clone()), Instant::now());
            panics::hear();
        }
        if nobody_looks() || is_over {
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
            is_note: false,
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

/// Keeps what a failed test must know, for example its seed. It needs no guard and no room: it is
/// printed if the test failed, and forgotten if not.
pub(crate) fn note(service: &'static str, test: &str, evidence: impl Evidence + 'static) {
    let mut guard = lock();
    let notes = &mut waiting(&mut guard).notes;
    if notes.iter().any(|note| note.service == service && note.test == test) {
        return;
    }
    notes.push(Left {
        service,
        test: test.to_owned(),
        at: Instant::now(),
        has_panicked: false, // known when the process ends
        is_note: true,
        thread: Weak::new(),
        evidence: Box::new(evidence),
    });
    drop(guard);
    exit::hear(settle);
    panics::hear();
}

impl Waiting {
    /// Whether the test still holds other guards of the service.
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

    /// The oldest objects that are too many, of tests that panicked or of the others.
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

/// Gives back the objects that wait only in case their test returned `Err`, because another test
/// needs the room.
pub(crate) fn make_room(service: &str) {
    let is_spare = |left: &mut Left| left.service == service && !left.has_panicked;
    let going: Vec<Left> = waiting(&mut lock()).left.extract_if(.., is_spare).collect();
    let_go(going);
}

/// How many objects of a service wait whose tests did not panic.
pub(crate) fn spare(service: &str) -> usize {
    let mut guard = lock();
    let left = waiting(&mut guard).left.iter();
    left.filter(|left| left.service == service && !left.has_panicked).count()
}

/// Gives back the objects of tests that continue, as long as there may be such tests.
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

/// Called when the process ends, with its status if that is known.
fn settle(status: Option<i32>) {
    let mut left = std::mem::take(&mut waiting(&mut lock()).left);
    let mut notes = std::mem::take(&mut waiting(&mut lock()).notes);
    for note in &mut notes {
        note.has_panicked = panics::at(&note.test).is_some();
    }
    left.append(&mut notes);
    left.extend(before_a_panic(std::mem::take(&mut waiting(&mut lock()).dropped)));
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

/// How long before its failure a test dropped its last guard. What it used then, by a pool, a
/// connection or an address, was gone, and no client's error says why.
struct Dropped(Duration);

impl Evidence for Dropped {
    fn room(&self) -> usize {
        0 // it waits for nothing
    }

    fn told(&self) -> Told {
        let since = self.0;
        Told {
            stays: "guard was dropped before that".into(),
            open: None,
            more: vec![format!(
                "its guard was dropped {since:.1?} before it failed. If it then used a pool, a connection or an address that it had from the guard, keep the guard in a variable until the test ends"
            )],
        }
    }
}

/// What is known of the tests that dropped their last guard, and then panicked.
fn before_a_panic(
    dropped: BTreeMap<(&'static str, String), Instant>,
) -> impl Iterator<Item = Left> {
    dropped.into_iter().filter_map(|((service, test), at)| {
        let since = panics::at(&test)?.checked_duration_since(at)?;
        Some(Left {
            service,
            test,
            at,
            has_panicked: true,
            is_note: false,
            thread: Weak::new(),
            evidence: Box::new(Dropped(since)),
        })
    })
}

/// What a failed test left, and whether it is certain that the test failed.
type Failed = (Left, bool);

fn sure(left: Vec<Left>) -> Vec<Failed> {
    left.into_iter().map(|left| (left, true)).collect()
}

/// Decides what stays and what is given back, if at least one test failed.
fn judge(left: Vec<Left>) -> (Vec<Failed>, Vec<Left>) {
    let kinds = source::kinds(left.iter().map(|left| left.test.as_str()));
    let (mut failed, mut doubtful, mut passed) = (Vec::new(), Vec::new(), Vec::new());
    for left in left {
        let has_panicked =
            left.has_panicked || panics::at(&left.test).is_some_and(|at| at > left.at);
        match (kinds.get(&left.test), has_panicked) {
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
