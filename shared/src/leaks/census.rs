//! What is alive in a runtime, and where it was spawned.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::tokio::runtime::RuntimeMetrics;

use super::place;
use crate::{Heading, current_test};

/// The names of tokio's own threads begin so. The number of a counted thread follows.
const THREAD: &str = "tokio-rt-worker";

thread_local! {
    /// Whether threads that this thread starts are the runtime's workers or the harness's own.
    static UNCOUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Counts what a runtime spawns, as the hooks of the runtime's builder report it.
#[derive(Default)]
pub(super) struct Census {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Threads that were ever started. The number of a thread is part of its name.
    started: usize,
    /// Threads that have not ended, with the stack of their start, or `None` for one of [`uncounted`].
    ///
    /// All threads take their work from one queue. So a thread may do what another was started for.
    threads: BTreeMap<usize, Option<Backtrace>>,
    /// How many threads live as long as the runtime.
    expected: usize,
    /// Tasks that have not ended.
    #[cfg(tokio_unstable)]
    tasks: BTreeMap<u64, &'static std::panic::Location<'static>>,
    allowed: usize,
    reasons: Vec<&'static str>,
}

impl Book {
    fn busy(&self) -> usize {
        self.threads.len().saturating_sub(self.expected)
    }
}

impl Census {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a thread is about to start, and returns its name.
    pub(super) fn thread_starts(&self) -> String {
        // The stack is resolved only if it is shown.
        let stack = (!UNCOUNTED.get()).then(Backtrace::force_capture);
        let mut book = self.book();
        book.started += 1;
        book.expected += usize::from(stack.is_none());
        let number = book.started;
        book.threads.insert(number, stack);
        format!("{THREAD}-{number}")
    }

    /// Notes that this thread ends.
    pub(super) fn thread_stops(&self) {
        let thread = std::thread::current();
        let number =
            thread.name().and_then(|name| name.strip_prefix(THREAD)?.get(1..)?.parse().ok());
        if let Some(number) = number {
            self.book().threads.remove(&number);
        }
    }

    #[cfg(tokio_unstable)]
    pub(super) fn task_starts(&self, task: &::tokio::runtime::TaskMeta<'_>) {
        self.book().tasks.insert(number(task), task.spawned_at());
    }

    #[cfg(tokio_unstable)]
    pub(super) fn task_stops(&self, task: &::tokio::runtime::TaskMeta<'_>) {
        self.book().tasks.remove(&number(task));
    }

    pub(super) fn allow(&self, tasks: usize, why: &'static str) {
        let mut book = self.book();
        book.allowed += tasks;
        book.reasons.push(why);
    }

    /// Fails if more is alive than the test allowed. The error is a short count.
    pub(super) fn is_clean(&self, runtime: &RuntimeMetrics) -> Result<(), String> {
        let before = self.threads();
        let tasks = runtime.num_alive_tasks();
        // A thread that came in between may have spawned a task after the tasks were counted.
        let after = self.threads();
        if before == after && tasks + after.1 <= self.book().allowed {
            return Ok(());
        }
        Err(count(tasks, after.1))
    }

    /// The blocking threads that were ever started, and those that are busy.
    fn threads(&self) -> (usize, usize) {
        let book = self.book();
        (book.started, book.busy())
    }

    pub(super) fn expected_threads(&self) -> usize {
        self.book().expected
    }

    /// Expects no thread of [`uncounted`] any longer, but those of the runtime itself.
    pub(super) fn expect_threads(&self, expected: usize) {
        self.book().expected = expected;
    }

    /// Describes everything that is alive, for a failed test.
    pub(super) fn report(&self, runtime: &RuntimeMetrics, grace: Duration) -> String {
        let book = self.book();
        let tasks = runtime.num_alive_tasks();
        let mut report = format!(
            "{} left {grace:?} after the end of {}",
            count(tasks, book.busy()),
            current_test::name()
        );
        let mut line = |line: String| write!(report, "\n  {line}").expect("a String takes all");
        #[cfg(tokio_unstable)]
        for (place, times) in counted(book.tasks.values().map(|at| at.to_string())) {
            line(format!("task spawned at {place}{times}"));
        }
        for (place, times) in counted(book.threads.values().flatten().map(place::of_spawn)) {
            line(format!("blocking thread spawned at {place}{times}"));
        }
        if book.allowed > 0 {
            line(format!("allowed: {} ({})", book.allowed, book.reasons.join("; ")));
        }
        if cfg!(not(tokio_unstable)) && tasks > 0 {
            let flags = ["RUSTFLAGS='--cfg tokio_unstable'".to_owned()];
            let again = current_test::again(&current_test::name(), &flags);
            line(format!("to see where: {again}"));
        }
        line("to fix: before the test returns, end each of them and await its end".into());
        if let Some(link) = Heading::Leak.link() {
            line(format!("more: {link}"));
        }
        report
    }
}

/// Runs `start`. Threads that it starts are not counted.
pub(super) fn uncounted<T>(start: impl FnOnce() -> T) -> T {
    UNCOUNTED.set(true);
    let started = start();
    UNCOUNTED.set(false);
    started
}

fn count(tasks: usize, threads: usize) -> String {
    let noun = |number: usize, noun: &str| match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    };
    match (tasks, threads) {
        (_, 0) => noun(tasks, "task"),
        (0, _) => noun(threads, "blocking thread"),
        _ => format!("{} and {}", noun(tasks, "task"), noun(threads, "blocking thread")),
    }
}

/// Each place once, and how often it was there if that is more than once.
fn counted(places: impl Iterator<Item = String>) -> impl Iterator<Item = (String, String)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    places.for_each(|place| *counts.entry(place).or_default() += 1);
    let times = |count| if count > 1 { format!(", {count} times") } else { String::new() };
    counts.into_iter().map(move |(place, count)| (place, times(count)))
}

/// tokio's number of the task. The id itself has no order.
#[cfg(tokio_unstable)]
fn number(task: &::tokio::runtime::TaskMeta<'_>) -> u64 {
    task.id().to_string().parse().expect("an id of tokio is a number")
}
