//! Runtimes that look for leaks, with the methods that `#[tokio::test]` calls.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::tokio::runtime::Builder as TokioBuilder;
use ::tokio::runtime::Runtime as TokioRuntime;
use ::tokio::task::yield_now;

use super::census::{Census, uncounted};
use super::{CURRENT, GRACE};
use crate::wait::{self, HeldClock};

/// Most tasks end when they are polled once or twice more. A test does not sleep for them.
const YIELDS: usize = 64;

/// A task that needs a thread or a socket to end takes a few of these.
const POLL: Duration = Duration::from_millis(2);

/// Builds a [`Runtime`] that looks for leaks, as tokio's builder of the same name builds a runtime.
pub struct Builder {
    builder: TokioBuilder,
    census: Arc<Census>,
    grace: Duration,
}

impl Builder {
    /// Returns a builder of a runtime that runs tasks on the test's thread.
    #[must_use]
    pub fn new_current_thread() -> Builder {
        Builder::counted(TokioBuilder::new_current_thread())
    }

    /// Returns a builder of a runtime that runs tasks on threads of its own.
    #[must_use]
    pub fn new_multi_thread() -> Builder {
        Builder::counted(TokioBuilder::new_multi_thread())
    }

    fn counted(mut builder: TokioBuilder) -> Builder {
        let census = Arc::new(Census::default());
        let (starts, stops) = (census.clone(), census.clone());
        builder
            .thread_name_fn(move || starts.thread_starts())
            .on_thread_stop(move || stops.thread_stops())
            // An idle thread would look like a busy one.
            .thread_keep_alive(Duration::ZERO);
        #[cfg(tokio_unstable)]
        {
            let (starts, stops) = (census.clone(), census.clone());
            builder
                .on_task_spawn(move |task| starts.task_starts(task))
                .on_task_terminate(move |task| stops.task_stops(task));
        }
        Builder { builder, census, grace: GRACE }
    }

    /// Waits for less than [`GRACE`], in a test that leaks on purpose.
    #[cfg(test)]
    pub(super) fn grace(&mut self, grace: Duration) -> &mut Builder {
        self.grace = grace;
        self
    }

    /// Enables sockets and timers.
    pub fn enable_all(&mut self) -> &mut Builder {
        self.builder.enable_all();
        self
    }

    /// Sets the number of threads of a multi-thread runtime.
    pub fn worker_threads(&mut self, threads: usize) -> &mut Builder {
        self.builder.worker_threads(threads);
        self
    }

    /// Starts the runtime with tokio's clock stopped.
    pub fn start_paused(&mut self, start_paused: bool) -> &mut Builder {
        self.builder.start_paused(start_paused);
        self
    }

    /// Builds the runtime.
    ///
    /// # Errors
    ///
    /// If the operating system refuses a thread or a file descriptor.
    pub fn build(&mut self) -> io::Result<Runtime> {
        // The workers of a multi-thread runtime live as long as the runtime.
        let runtime = uncounted(|| self.builder.build())?;
        Ok(Runtime {
            runtime: Some(runtime),
            workers: self.census.expected_threads(),
            census: self.census.clone(),
            grace: self.grace,
        })
    }
}

/// A runtime that looks for leaks at the end of [`block_on`](Runtime::block_on).
pub struct Runtime {
    /// There until it is dropped.
    runtime: Option<TokioRuntime>,
    census: Arc<Census>,
    workers: usize,
    grace: Duration,
}

impl Runtime {
    /// Runs `future`, and returns its result when everything that it spawned has ended.
    ///
    /// # Panics
    ///
    /// If a task or a blocking thread is left [`GRACE`] later.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let runtime = self.runtime.as_ref().expect("only Drop takes it");
        let census = Entered::new(&self.census);
        let output = runtime.block_on(future);
        drop(census);

        let metrics = runtime.metrics();
        let settled = runtime.block_on(async {
            // A stopped clock would leap to the end of every sleep.
            let _held = uncounted(HeldClock::new);
            for _ in 0..YIELDS {
                if self.census.is_clean(&metrics).is_ok() {
                    return true;
                }
                yield_now().await;
            }
            let look = || std::future::ready(self.census.is_clean(&metrics));
            wait::until_every(POLL, self.grace, "the end of all tasks", look).await.is_ok()
        });
        self.census.expect_threads(self.workers);
        if !settled {
            panic!("{}", self.census.report(&metrics, self.grace));
        }
        output
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // tokio's own Drop waits for blocking threads, however long they take.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Makes the census that of this thread's test, until it is dropped.
struct Entered;

impl Entered {
    fn new(census: &Arc<Census>) -> Entered {
        CURRENT.set(Some(census.clone()));
        Entered
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}
