//! Runs a body under many schedules, and repeats the one under which it failed.
//!
//! Invariant: the same body and the same number of schedules give the same answer, on every machine.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, Schedule, Scheduler, Task, TaskId,
};
use shuttle::{Config, MaxSteps, Runner};

/// Any number does: it is fixed, so that a test cannot be lucky.
const SEED: u64 = 13;
/// The number of forced switches in a schedule of PCT. Most races need one or two.
const DEPTH: usize = 3;
/// A body of a test takes some hundred steps. What takes so many makes no progress.
const MOST_STEPS: usize = 20_000;

/// What PCT says of a body in which never more than one thread can run.
const NEVER_TWO: &str = "test closure did not exercise any concurrency";

/// Runs the body under this many schedules, and stops at the first under which it fails.
///
/// Half of the schedules are random: at every step, any thread may run. The other half are
/// those of PCT: a thread runs until it waits, except for a few forced switches. Each half finds
/// races that the other finds late.
///
/// The body fails if it panics in any thread, if its threads wait for each other for ever, or if
/// they run on without progress. The body must do the same whenever the schedule is the same: no
/// clock, no random numbers, no other locks than those of shuttle.
///
/// ```
/// use shuttle::sync::Arc;
/// use shuttle::sync::atomic::{AtomicUsize, Ordering};
///
/// let found = task13_flake_hunt::explore(1000, || {
///     let total = Arc::new(AtomicUsize::new(0));
///     let other = {
///         let total = Arc::clone(&total);
///         shuttle::thread::spawn(move || total.fetch_add(1, Ordering::SeqCst))
///     };
///
///     assert_eq!(total.load(Ordering::SeqCst), 0); // true only before the other thread adds
///
///     other.join().unwrap();
/// });
///
/// assert!(found.is_err());
/// ```
///
/// # Errors
///
/// If the body failed, with what it said and the schedule.
pub fn explore(schedules: usize, body: impl Fn() + Send + Sync + 'static) -> Result<(), Race> {
    let body = Arc::new(body);
    let random = schedules.div_ceil(2);
    run(RandomScheduler::new_from_seed(SEED, random), 0, &body)?;
    match schedules - random {
        0 => Ok(()),
        rest => match run(PctScheduler::new_from_seed(SEED, DEPTH, rest), random, &body) {
            // Then all schedules are the same one, and it has passed.
            Err(race) if race.said == NEVER_TWO => Ok(()),
            ended => ended,
        },
    }
}

/// Runs the body once, under the schedule that shuttle printed when the body failed.
///
/// # Errors
///
/// If the body fails again. Also if the schedule does not fit the body: then the body does
/// something else than the body that failed.
pub fn replay(schedule: &str, body: impl Fn() + Send + Sync + 'static) -> Result<(), Race> {
    run(ReplayScheduler::new_from_encoded(schedule.trim()), 0, &Arc::new(body))
}

/// A failure of a body, and the schedule under which it happens every time.
pub struct Race {
    said: String,
    schedule: Schedule,
    number: usize,
}

impl Race {
    /// What the body said: its panic, or `deadlock! …`, or `exceeded max_steps bound …`.
    #[must_use]
    pub fn said(&self) -> &str {
        &self.said
    }

    /// The number of the schedule, counted from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Runs a body once, under the schedule of this failure.
    ///
    /// # Errors
    ///
    /// As [`replay`].
    pub fn replay(&self, body: impl Fn() + Send + Sync + 'static) -> Result<(), Race> {
        run(ReplayScheduler::new_from_schedule(self.schedule.clone()), 0, &Arc::new(body))
    }
}

impl fmt::Display for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Race { said, schedule, number } = self;
        write!(f, "schedule {number}, after {} steps: {said}", schedule.len())
    }
}

/// As its display: a test that unwraps it shows a sentence.
impl fmt::Debug for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Race {}

/// Runs the body under the schedules of a scheduler; `before` is how many others ran before.
fn run<F: Fn() + Send + Sync + 'static>(
    scheduler: impl Scheduler + 'static,
    before: usize,
    body: &Arc<F>,
) -> Result<(), Race> {
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true; // of relaxed atomics, which the README explains
    let log = Arc::new(Mutex::new((Schedule::default(), before)));
    let recorded = Recorded { scheduler, log: Arc::clone(&log) };
    let body = Arc::clone(body);

    let ended =
        catch_unwind(AssertUnwindSafe(|| Runner::new(recorded, config).run(move || body())));

    ended.map(drop).map_err(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        let (schedule, number) = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Race { said: said.unwrap_or_else(|| "it panicked".into()), schedule, number }
    })
}

/// A scheduler whose choices are kept. Shuttle itself only prints them.
struct Recorded<S> {
    scheduler: S,
    log: Arc<Mutex<(Schedule, usize)>>,
}

impl<S> Recorded<S> {
    fn note(&self, note: impl FnOnce(&mut (Schedule, usize))) {
        note(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<S: Scheduler> Scheduler for Recorded<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let schedule = self.scheduler.new_execution()?;
        self.note(|(kept, number)| {
            *kept = schedule.clone();
            *number += 1;
        });
        Some(schedule)
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let next = self.scheduler.next_task(runnable, current, is_yielding)?;
        self.note(|(kept, _)| kept.push_task(next));
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        self.note(|(kept, _)| kept.push_random());
        self.scheduler.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize as Count; // outside of what is explored

    use super::{explore, replay};
    use shuttle::sync::atomic::{AtomicUsize, Ordering};
    use shuttle::sync::{Arc, Mutex};
    use shuttle::thread;

    /// Two threads add one each, in two steps.
    fn loses_an_update() {
        let total = Arc::new(AtomicUsize::new(0));
        let add = |total: &AtomicUsize| {
            let before = total.load(Ordering::SeqCst);
            total.store(before + 1, Ordering::SeqCst);
        };
        let other = {
            let total = Arc::clone(&total);
            thread::spawn(move || add(&total))
        };
        add(&total);
        other.join().unwrap();
        assert_eq!(total.load(Ordering::SeqCst), 2, "an update is lost");
    }

    #[test]
    fn a_race_is_found_under_the_same_schedule_every_time_and_replayed() {
        let found = explore(1000, loses_an_update).unwrap_err();
        let again = explore(1000, loses_an_update).unwrap_err();

        assert!(found.said().contains("an update is lost"), "{found}");
        assert_eq!((found.number(), &found.schedule), (again.number(), &again.schedule));
        for _ in 0..10 {
            let replayed = found.replay(loses_an_update).unwrap_err();
            assert_eq!((replayed.said(), &replayed.schedule), (found.said(), &found.schedule));
        }
    }

    #[test]
    fn a_deadlock_ends_and_says_so() {
        let found = explore(1000, || {
            let locks = Arc::new((Mutex::new(()), Mutex::new(())));
            let other = {
                let locks = Arc::clone(&locks);
                thread::spawn(move || drop((locks.0.lock().unwrap(), locks.1.lock().unwrap())))
            };
            drop((locks.1.lock().unwrap(), locks.0.lock().unwrap()));
            other.join().unwrap();
        });

        assert!(found.unwrap_err().said().starts_with("deadlock!"));
    }

    #[test]
    fn a_body_without_progress_ends_and_says_so() {
        let found = explore(1, || {
            loop {
                thread::yield_now();
            }
        });

        assert!(found.unwrap_err().said().starts_with("exceeded max_steps bound"));
    }

    #[test]
    fn every_schedule_is_run() {
        let ran = Arc::new(Count::new(0));
        let body = {
            let ran = Arc::clone(&ran);
            move || {
                ran.fetch_add(1, Ordering::Relaxed);
                let other = thread::spawn(thread::yield_now);
                thread::yield_now();
                other.join().unwrap();
            }
        };

        explore(101, body).unwrap();

        assert_eq!(ran.load(Ordering::Relaxed), 101);
    }

    #[test]
    fn a_body_without_threads_passes() {
        explore(10, || assert_eq!(1 + 1, 2)).unwrap();
    }

    /// Shuttle printed this one. If a newer shuttle writes schedules in another way, print it again.
    const PRINTED: &str = "910109fef5988dfb87c4d2e601202200";

    #[test]
    fn a_printed_schedule_is_replayed() {
        let replayed = replay(PRINTED, loses_an_update).unwrap_err();

        assert!(replayed.said().contains("an update is lost"), "{replayed}");
    }

    #[test]
    #[should_panic(expected = "invalid schedule")]
    fn a_schedule_that_is_none_is_refused() {
        replay("no schedule", loses_an_update).unwrap();
    }
}
