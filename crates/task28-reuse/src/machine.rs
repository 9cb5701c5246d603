//! A machine from a harness's view: existing servers, a folder that stays, runs that begin and end.
//!
//! Each server is an entrance to the PostgreSQL of the run: a port, a user and a password of its own
//! (see [`entrance`]). Nothing listens behind the port of a killed server, and a frozen one accepts
//! connections and never answers.
//!
//! Invariant: every database and role of a machine is named after the machine's own database, so the
//! course's harness removes all of them with it, however the tests end.

mod entrance;
mod run;
mod server;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use run::Run;
pub use server::Server;

use server::State;
use testenv::Db;

/// The kind of server that a run wants. A run never gets a server of another kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The name of the image. (The machine has a single image, and takes it for every name.)
    pub image: String,
    /// Settings of PostgreSQL, such as `work_mem=8MB`. (Those that only a new process could have, such
    /// as `fsync`, have no effect here.)
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
    /// What all servers lead to.
    home: Arc<Db>,
    folder: PathBuf,
    starts: AtomicUsize,
    servers: Mutex<Vec<Arc<State>>>,
    /// The ids of the runs that have ended.
    over: Mutex<HashSet<String>>,
}

impl Machine {
    /// Returns a machine without servers.
    ///
    /// # Panics
    ///
    /// If no PostgreSQL can be reached or started. The message lists the attempts and the cure.
    pub async fn open() -> Machine {
        let home = Arc::new(testenv::fresh_db().await);
        let run = testenv::tools::Run::join().expect("a run that has a database can be joined");
        let folder = run.dir().join(format!("machine-{}", home.name()));
        std::fs::create_dir(&folder).expect("a run's directory can be written");
        let (starts, servers, over) = Default::default();
        Machine(Arc::new(Inner { home, folder, starts, servers, over }))
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
            server.freeze();
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
        for server in self.servers() {
            server.leave();
        }
        // If the process ends before, it goes with the run.
        let _left = std::fs::remove_dir_all(&self.folder);
    }
}

/// Returns 32 random bits. The standard library's only source of randomness is a hash map's keys.
#[expect(clippy::disallowed_methods, reason = "a name that no other run has is not repeatable")]
fn word() -> String {
    format!("{:08x}", RandomState::new().hash_one(0) >> 32)
}

/// Holds the lock only while `work` runs; `work` never waits.
fn locked<T, R>(what: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> R {
    work(&mut what.lock().unwrap_or_else(PoisonError::into_inner))
}
