//! A run: what a harness may ask for, and where it asks for a server.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use testenv::Error;

use super::server::State;
use super::{Inner, Server, Wanted, locked, word};

/// A run of somebody's tests on a [`Machine`](super::Machine). Dropping it is its end, and as sudden as SIGKILL: no code of a harness runs any more, and what
/// it was about to start comes up nevertheless.
#[must_use = "dropped, it has ended"]
pub struct Run {
    machine: Arc<Inner>,
    id: String,
    wanted: Wanted,
    ci: Option<String>,
    names: Mutex<usize>,
    said: Mutex<Vec<String>>,
}

impl Run {
    pub(super) fn begin(machine: &Arc<Inner>, wanted: Wanted, ci: Option<String>) -> Run {
        let (id, (names, said)) = (word(), Default::default());
        Run { machine: machine.clone(), id, wanted, ci, names, said }
    }

    /// The server that this run wants.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// The value of the variable `CI`, where it is set.
    pub fn ci(&self) -> Option<&str> {
        self.ci.as_deref()
    }

    /// The folder that outlives runs, as `~/.cache` does.
    pub fn folder(&self) -> &Path {
        &self.machine.folder
    }

    /// A name for a database that no other has, `…_run_<whose>_<number>`: whose it is can be asked
    /// later, see [`Run::is_over`].
    pub fn new_name(&self) -> String {
        let number = locked(&self.names, |names| {
            *names += 1;
            *names
        });
        format!("{}_run_{}_{number}", self.machine.home.name(), self.id)
    }

    /// Whether the run that made this name has ended. A name that is no run's of this machine has no
    /// run that ended.
    pub fn is_over(&self, name: &str) -> bool {
        let id = name.split_once("_run_").and_then(|(_, rest)| rest.split_once('_'));
        id.is_some_and(|(id, _)| locked(&self.machine.over, |over| over.contains(id)))
    }

    /// Says a sentence to whoever watches the run.
    pub fn say(&self, sentence: &str) {
        locked(&self.said, |said| said.push(sentence.to_owned()));
    }

    /// What was said, a line for each sentence.
    pub fn said(&self) -> String {
        locked(&self.said, |said| said.join("\n"))
    }

    /// The servers with this label, also those that are starting, and those that have stopped.
    pub fn find(&self, label: &str) -> Vec<Server> {
        let all = self.machine.servers().into_iter();
        all.filter(|state| state.has(label)).map(Server).collect()
    }

    /// Starts the wanted server, to be kept: it stays when the run ends. Returns when it answers, to its user with this password.
    ///
    /// # Errors
    ///
    /// When it does not get ready.
    pub async fn start_kept(&self, label: &str, password: &str) -> Result<Server, Error> {
        self.start(Some(label), password).await
    }

    /// Starts the wanted server for this run alone: it is removed when the run ends.
    ///
    /// # Errors
    ///
    /// When it does not get ready.
    pub async fn start_own(&self, password: &str) -> Result<Server, Error> {
        self.start(None, password).await
    }

    async fn start(&self, label: Option<&str>, password: &str) -> Result<Server, Error> {
        let number = self.machine.starts.fetch_add(1, Ordering::SeqCst);
        let state = Arc::new(State::new(&self.machine.home, number, label, &self.id));
        locked(&self.machine.servers, |servers| servers.push(state.clone()));
        state.start(&self.wanted.settings, password).await?;
        Ok(Server(state))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        locked(&self.machine.over, |over| over.insert(self.id.clone()));
        for server in self.machine.servers().into_iter().filter(|server| server.is_own(&self.id)) {
            server.leave();
        }
    }
}
