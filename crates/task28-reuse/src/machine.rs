//! A machine, as a harness meets it: servers that are there, a folder that stays, runs that come and go.
//!
//! The servers are real, each with a port, a password and data of its own: processes in one container of the run, or, where there is no Docker engine, of
//! this machine. So that starting one takes a quarter of a second and not two, each begins with a copy of one cluster that was made before the first.
//!
//! Invariant: whatever is started here belongs to the run of the harness of this course too, so that its keeper removes it, however the tests end.

mod docker;
mod engine;
mod native;
mod run;
mod server;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use run::Run;
pub use server::Server;

use engine::Engine;
use server::State;
use testenv::Error;

/// The server that a run wants. A run that wants another one must not be given this one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The image. (Whatever its name: the machine has one, and takes that.)
    pub image: String,
    /// Settings of PostgreSQL, such as `work_mem=8MB`.
    pub settings: Vec<String>,
    /// The version of the harness, which decides how it sets a server up.
    pub version: String,
}

impl Default for Wanted {
    fn default() -> Wanted {
        let (image, version) = ("postgres:17".into(), "1.0.0".into());
        Wanted { image, settings: vec!["fsync=off".into()], version }
    }
}

/// A machine of a test's own. Dropping it removes its servers and ends its runs.
#[must_use = "dropped, it removes what was started on it"]
pub struct Machine(Arc<Inner>);

struct Inner {
    engine: &'static Engine,
    folder: PathBuf,
    starts: AtomicUsize,
    servers: Mutex<Vec<Arc<State>>>,
    alive: Mutex<HashSet<String>>,
}

impl Machine {
    /// Returns a machine on which nothing was started yet.
    ///
    /// # Panics
    ///
    /// If no server could be started here at all. The message says what was tried and what to type.
    pub async fn open() -> Machine {
        let opened = engine::apart(async || {
            let engine = engine::open().await?;
            let folder = testenv::run::Run::join()?.dir().join(format!("machine-{}", word()));
            let made = std::fs::create_dir(&folder);
            made.map_err(|cause| Error::new("no folder for the machine").cause(cause))?;
            Ok::<_, Error>((engine, folder))
        });
        let (engine, folder) = opened.await.unwrap_or_else(|error| panic!("{error}"));
        let (starts, servers, alive) = Default::default();
        Machine(Arc::new(Inner { engine, folder, starts, servers, alive }))
    }

    /// Begins a run of a developer's tests. Dropping it ends it.
    pub fn run(&self) -> Run {
        self.run_wanting(Wanted::default())
    }

    /// Begins a run that wants a server of this kind.
    pub fn run_wanting(&self, wanted: Wanted) -> Run {
        Run::begin(&self.0, wanted, None)
    }

    /// Begins a run in which the variable `CI` is set to this.
    pub fn run_under_ci(&self, ci: &str) -> Run {
        Run::begin(&self.0, Wanted::default(), Some(ci.to_owned()))
    }

    /// How often a server was started here, whatever became of it.
    pub fn starts(&self) -> usize {
        self.0.starts.load(Ordering::SeqCst)
    }

    /// The folder that outlives runs, as `~/.cache` does.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Kills every server, as a restart of the machine does. They are still listed; none answers.
    pub async fn kill_servers(&self) {
        for server in self.0.servers() {
            server.kill().await;
        }
    }

    /// Halts every server, as a machine without memory does: they take connections and say nothing.
    pub async fn freeze_servers(&self) {
        for server in self.0.servers() {
            server.freeze().await;
        }
    }
}

impl Inner {
    fn servers(&self) -> Vec<Arc<State>> {
        locked(&self.servers, |servers| servers.clone())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Not waited for: what the end of the process cuts off goes with a later machine, or with the run.
        for server in self.servers() {
            server.leave();
        }
        let _left = std::fs::remove_dir_all(&self.folder);
    }
}

/// 64 bits that nobody else has: the keys of a hash map are the random source that the standard library has.
fn word() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}

/// The lock is held for this one line, never while waiting.
fn locked<T, R>(what: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> R {
    work(&mut what.lock().unwrap_or_else(PoisonError::into_inner))
}
