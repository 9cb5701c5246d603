//! A machine from a harness's view: existing servers, a folder that stays, runs that begin and end.
//!
//! The servers are real, each with a port, a password and data of its own. They are processes in a
//! container of the run or, without a Docker engine, processes of this machine. Each server begins
//! with a copy of a prepared cluster, so a start takes a tenth of a second instead of two.
//!
//! Invariant: every server also belongs to the run of this course's harness, so the run's reaper
//! removes it, however the tests end.

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

/// The kind of server that a run wants. A run never gets a server of another kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The name of the image. (The machine has a single image, and takes it for every name.)
    pub image: String,
    /// Settings of PostgreSQL, such as `work_mem=8MB`.
    pub settings: Vec<String>,
    /// The version of the harness. Another version may set a server up differently.
    pub version: String,
}

impl Default for Wanted {
    fn default() -> Wanted {
        let (image, version) = ("postgres:17".into(), "1.0.0".into());
        Wanted { image, settings: vec!["fsync=off".into()], version }
    }
}

/// A machine for a single test. Dropping it removes its servers and ends its runs.
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
    /// Returns a machine without servers.
    ///
    /// # Panics
    ///
    /// If no server can be started on this host. The message lists the attempts and the cure.
    pub async fn open() -> Machine {
        let opened = engine::apart(async || {
            let engine = engine::open().await?;
            let folder = testenv::tools::Run::join()?.dir().join(format!("machine-{}", word()));
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

    /// Begins a run in which the variable `CI` has this value.
    pub fn run_under_ci(&self, ci: &str) -> Run {
        Run::begin(&self.0, Wanted::default(), Some(ci.to_owned()))
    }

    /// How often a server was started here, including servers that are gone.
    pub fn starts(&self) -> usize {
        self.0.starts.load(Ordering::SeqCst)
    }

    /// The folder that outlives runs, as `~/.cache` does.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Kills every server, as a restart of the machine does. Dead servers are still listed.
    pub async fn kill_servers(&self) {
        for server in self.0.servers() {
            server.kill().await;
        }
    }

    /// Freezes every server, as a lack of memory does: servers accept connections and never answer.
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
        // Nobody waits: if the process ends first, a later machine or the end of the run cleans up.
        for server in self.servers() {
            server.leave();
        }
        let _left = std::fs::remove_dir_all(&self.folder);
    }
}

/// Returns 64 random bits. The standard library's only source of randomness is a hash map's keys.
#[expect(clippy::disallowed_methods, reason = "a name that no other run has is not repeatable")]
fn word() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}

/// Holds the lock only while `work` runs; `work` never waits.
fn locked<T, R>(what: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> R {
    work(&mut what.lock().unwrap_or_else(PoisonError::into_inner))
}
