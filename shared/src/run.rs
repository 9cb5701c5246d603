//! A run: all the test processes that one command started, and everything they share.
//!
//! A run is named by `TESTENV_RUN_ID`, else by `NEXTEST_RUN_ID`, else by the parent process and its start time: `cargo test`, `cargo nextest run` and an
//! IDE's single test are each one run, with no configuration. It lives in a directory, because statics do not carry across processes:
//!
//! - `members`: every process of the run holds a shared lock on it; the reaper waits for the exclusive one;
//! - `asked`: the settings that decide which servers serve; a run of the same name with other settings is another run, `<name>.2`;
//! - `joins`: a byte for each process that ever joined; `runners`: the runners that started them;
//! - `<server>.json`, `<server>.lock`, `<server>.failed`: a server that was started once, who starts it, why it could not be;
//! - `held/`: locks that it holds until it ends;
//! - `ledger/`: what must be removed; `reaper+…`: who removes it.
//!
//! Invariant: a live run is never reaped, and a run that ended, however it ended, is.

mod base;
mod by_hand;
pub(crate) mod cleaner;
pub(crate) mod held;
mod known;
mod join;
mod reaper;
pub(crate) mod layout;
mod machine;
mod member;
mod native;
mod open_files;
mod orphans;
pub(crate) mod ledger;
pub(crate) mod process;
mod sweep;

pub use join::{ID_VAR, RunGuard, START_VAR, hold_open};
pub use layout::DIR_VAR;
pub use member::Run;
pub use reaper::GRACE_VAR;
pub(crate) use reaper::grace;

use crate::{Error, Heading};

/// Does `work` on a thread of its own; what it awaits need not be [`Send`], and may outlive the runtime of the test that asked first.
pub(crate) async fn on_own_thread<T, F>(
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>>,
{
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let done = match runtime {
            Ok(runtime) => runtime.block_on(work()),
            Err(cause) => {
                Err(Error::under(Heading::Machine, "cannot start a Tokio runtime").cause(cause))
            }
        };
        // Whoever asked may have run out of patience.
        drop(tell.send(done));
    });
    told.await.unwrap_or_else(|_| {
        Err(Error::under(Heading::Harness, "the harness panicked; its message is above"))
    })
}

/// Returns what `work` returned in the process of the run that called this first, for a caller that
/// cannot await. The caller may be inside a runtime, so the wait is on a thread of its own.
pub(crate) fn once_blocking(
    name: String,
    work: impl FnOnce() -> String + Send + 'static,
) -> Result<String, Error> {
    let waits = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| {
            Error::under(Heading::Machine, "cannot start a Tokio runtime").cause(cause)
        })?;
        runtime.block_on(async { Run::join()?.once(&name, async |_| Ok(work())).await })
    });
    let panicked =
        |_| Err(Error::under(Heading::Harness, "the harness panicked; its message is above"));
    waits.join().unwrap_or_else(panicked)
}

/// Takes the settings as they are, called before `main` and before anything changes them.
pub(crate) fn note_settings() {
    join::asked();
}

pub(crate) use reaper::detach_if_asked;

/// The reaper's entry, called before `main`, with what this binary can remove.
pub(crate) fn reap_if_asked(cleaners: &'static [&'static cleaner::Cleaner]) {
    cleaner::register(cleaners);
    reaper::reap_if_asked();
}

/// Where the runs of this user are.
pub(crate) use base::path as base_dir;
pub(crate) use by_hand::sweep as sweep_by_hand;
pub(crate) use orphans::make_data_dir;
pub(crate) use orphans::{Owner, Runs};
