//! Does work side by side, as much as keeps the machine busy and no more.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use testenv::Error;

/// How many test processes run at once, for each core, whatever the machine does. A suite waits most
/// of its time: for servers, for limits, for its own polls.
const PER_CORE: usize = 3;

/// How many test processes run at most, for each core, as long as the cores are idle.
const MOST_PER_CORE: usize = 12;

/// How many more processes can begin for each core that was idle between two looks. Most of them will
/// soon wait too; if they do not, the next look says so.
const PER_IDLE_CORE: f64 = 3.0;

/// The kernel counts in hundredths of a second.
const LOOK: Duration = Duration::from_millis(100);

/// The cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

/// The number of test processes that keep this machine busy.
pub(crate) fn lanes() -> usize {
    PER_CORE * cores()
}

/// The number of test processes that are worth a thread: while they wait for something, so many run.
pub(crate) fn most() -> usize {
    MOST_PER_CORE * cores()
}

/// The test processes of one check.
#[derive(Default)]
pub(crate) struct Lanes {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Default)]
struct Now {
    running: usize,
    /// How many want to run alone, or do. Nothing else begins meanwhile.
    alone: usize,
    cores: Cores,
}

/// What the cores did between the last two looks.
#[derive(Default)]
struct Cores {
    last: Option<(Instant, Ticks)>,
    /// How many more processes have something to run on, as the last look has shown.
    free: usize,
}

/// How long the cores have been idle, and how long they have been there.
#[derive(Clone, Copy)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Ticks {
    /// `None` where the kernel does not say it in a file.
    fn now() -> Option<Ticks> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        Ticks::read(stat.lines().next()?)
    }

    /// `cpu user nice system idle iowait …`
    fn read(line: &str) -> Option<Ticks> {
        let ticks = line.strip_prefix("cpu ")?.split_whitespace().map(str::parse);
        let ticks: Vec<u64> = ticks.collect::<Result<_, _>>().ok()?;
        Some(Ticks { idle: ticks.get(3)? + ticks.get(4)?, all: ticks.iter().sum() })
    }
}

impl Cores {
    /// Whether one more process has something to run on.
    fn are_idle(&mut self) -> bool {
        if self.last.is_none_or(|(at, _)| at.elapsed() >= LOOK) {
            let Some(ticks) = Ticks::now() else { return false };
            let before = self.last.replace((Instant::now(), ticks));
            self.free = before.map_or(0, |(_, before)| free(before, ticks, cores()));
        }
        let is_free = self.free > 0;
        self.free = self.free.saturating_sub(1);
        is_free
    }
}

/// How many processes more would have had something to run on.
fn free(before: Ticks, now: Ticks, cores: usize) -> usize {
    let all = now.all.saturating_sub(before.all).max(1) as f64;
    let idle = now.idle.saturating_sub(before.idle) as f64 / all * cores as f64;
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "a small positive number"
    )]
    let free = (idle * PER_IDLE_CORE) as usize;
    free
}

/// Who else runs at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// As many others as the machine bears.
    Others,
    /// Nobody: what happens now, no other process of this check has made.
    Nobody,
}

impl Lanes {
    /// Does `work` as soon as the company is there.
    pub(crate) fn run<R>(&self, company: Company, work: impl FnOnce() -> R) -> R {
        let _place = self.enter(company);
        work()
    }

    /// Whether cores are idle: then what runs waits for something.
    pub(crate) fn are_idle(&self) -> bool {
        self.now().cores.are_idle()
    }

    fn enter(&self, company: Company) -> Place<'_> {
        let mut now = self.now();
        now.alone += usize::from(company == Company::Nobody);
        let may_begin = |now: &mut Now| match company {
            Company::Others if now.alone > 0 || now.running >= most() => false,
            Company::Others => now.running < lanes() || now.cores.are_idle(),
            Company::Nobody => now.running == 0,
        };
        while !may_begin(&mut now) {
            let waited = self.changed.wait_timeout(now, LOOK);
            now = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        now.running += 1;
        Place { lanes: self, company }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Place<'a> {
    lanes: &'a Lanes,
    company: Company,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut now = self.lanes.now();
        now.running -= 1;
        now.alone -= usize::from(self.company == Company::Nobody);
        drop(now);
        self.lanes.changed.notify_all();
    }
}

/// Waits for a thread, and panics if it has.
pub(crate) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Does `work` for each item, `lanes` at once, and returns the results in the order of the items.
///
/// # Errors
///
/// The first error. What has begun is finished, and nothing else is begun.
pub(crate) fn at_once<T: Sync, R: Send>(
    lanes: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..lanes.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { return };
                    let result = work(item);
                    if result.is_err() {
                        next.store(items.len(), Ordering::Relaxed);
                    }
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Company, Lanes, Ticks, at_once};
    use testenv::Error;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..100).collect();

        let results = at_once(7, &items, |item| Ok(item * 2)).unwrap();

        assert_eq!(results, (0..100).map(|item| item * 2).collect::<Vec<_>>());
    }

    #[test]
    fn the_work_is_done_at_once() {
        let both_are_there = Barrier::new(2);

        at_once(2, &[1, 2], |_| Ok(both_are_there.wait().is_leader())).unwrap();
    }

    #[test]
    fn an_error_ends_the_work() {
        let items: Vec<usize> = (0..10_000).collect();
        let begun = AtomicUsize::new(0);

        let failed = at_once(7, &items, |item| {
            begun.fetch_add(1, Ordering::Relaxed);
            // All of them take ten seconds and more, so that whoever has the third is not overtaken.
            std::thread::park_timeout(std::time::Duration::from_millis(5));
            if *item == 3 { Err(Error::new("no more")) } else { Ok(()) }
        });

        assert!(failed.unwrap_err().to_string().starts_with("no more"));
        assert!(begun.into_inner() < items.len());
    }

    #[test]
    fn the_kernels_line_is_read() {
        let ticks = Ticks::read("cpu  10 0 20 300 4 0 6 0 0 0").unwrap();

        assert_eq!((ticks.idle, ticks.all), (304, 340));
        assert!(Ticks::read("intr 1").is_none());
    }

    #[test]
    fn more_begin_at_once_the_more_cores_are_idle() {
        let at = |idle| Ticks { idle, all: 100 };
        let begin = |idle| super::free(Ticks { idle: 0, all: 0 }, at(idle), 2);

        assert_eq!([0, 15, 30, 60, 100].map(begin), [0, 0, 1, 3, 6]);
    }

    #[test]
    fn no_more_run_than_there_are_lanes_and_one_alone_has_no_company() {
        let (here, running) = (Lanes::default(), AtomicUsize::new(0));
        let most = AtomicUsize::new(0);
        let items: Vec<usize> = (0..100).collect();

        at_once(2 * super::most(), &items, |item| {
            let company = if item % 10 == 3 { Company::Nobody } else { Company::Others };
            here.run(company, || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                std::thread::park_timeout(std::time::Duration::from_millis(1));
                assert!(company == Company::Others || running.load(Ordering::SeqCst) == 1);
                running.fetch_sub(1, Ordering::SeqCst);
            });
            Ok(())
        })
        .unwrap();

        assert!(most.into_inner() <= super::most());
    }
}
