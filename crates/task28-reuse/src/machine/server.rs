//! A server and what happened to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use testenv::Error;

use super::engine::{Engine, apart};
use super::word;

/// A server on a [`Machine`](super::Machine).
pub struct Server(pub(super) Arc<State>);

impl Server {
    /// The URL of its first database, `postgres`, for its user with this password.
    ///
    /// # Panics
    ///
    /// If it is still being started, by another run.
    pub fn url(&self, password: &str) -> String {
        let address = self.0.address.get().expect("a server that is starting has no address yet");
        url(address, password)
    }

    /// Removes the server, with what is on it. One that is starting is removed as soon as it has started.
    pub async fn remove(&self) {
        self.0.remove().await;
    }
}

pub(super) struct State {
    engine: &'static Engine,
    name: String,
    label: Option<String>,
    run: String,
    address: OnceLock<String>,
    is_removed: AtomicBool,
}

impl State {
    pub(super) fn new(engine: &'static Engine, label: Option<&str>, run: &str) -> State {
        let (label, run) = (label.map(str::to_owned), run.to_owned());
        let (address, is_removed) = Default::default();
        State { engine, name: format!("lab-{}", word()), label, run, address, is_removed }
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.label.as_deref() == Some(label) && !self.is_removed.load(Ordering::SeqCst)
    }

    /// Whether it is a server of this run alone.
    pub(super) fn is_own(&self, run: &str) -> bool {
        self.label.is_none() && self.run == run
    }

    /// Goes on, as an engine does, when whoever asked is there no more.
    pub(super) async fn start(
        self: &Arc<State>,
        settings: &[String],
        password: &str,
    ) -> Result<(), Error> {
        let (state, settings, password) = (self.clone(), settings.to_vec(), password.to_owned());
        apart(async move || {
            let started = state.engine.start(&state.name, &settings, &password).await;
            let is_removed = || state.is_removed.load(Ordering::SeqCst);
            let failed = started.map(|address| state.address.set(address)).err();
            if failed.is_some() || is_removed() {
                state.engine.remove(&state.name).await;
            }
            failed.map_or(Ok(()), Err)
        })
        .await
    }

    pub(super) async fn kill(self: &Arc<State>) {
        let state = self.clone();
        apart(async move || state.engine.kill(&state.name).await).await;
    }

    pub(super) async fn freeze(self: &Arc<State>) {
        let state = self.clone();
        apart(async move || state.engine.freeze(&state.name).await).await;
    }

    async fn remove(self: &Arc<State>) {
        if self.is_mine_to_remove() {
            let state = self.clone();
            apart(async move || state.engine.remove(&state.name).await).await;
        }
    }

    /// Removes it some time; nobody waits for that.
    pub(super) fn leave(&self) {
        if self.is_mine_to_remove() {
            self.engine.leave(&self.name);
        }
    }

    /// Whoever is first removes it; of one that is starting, its start.
    fn is_mine_to_remove(&self) -> bool {
        !self.is_removed.swap(true, Ordering::SeqCst) && self.address.get().is_some()
    }
}

pub(super) fn url(address: &str, password: &str) -> String {
    format!("postgres://postgres:{password}@{address}/postgres?sslmode=disable")
}
