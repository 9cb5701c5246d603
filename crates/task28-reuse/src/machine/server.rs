//! A server and what happened to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use testenv::{Db, Error};

use super::entrance::{Entrance, runtime};

/// How long a server takes to start: a small PostgreSQL takes 130 to 210 ms on two cores.
const START: Duration = Duration::from_millis(250);

/// What PostgreSQL says of a setting that a running server cannot change.
const NOT_NOW: &str = "55P02";

/// A server on a [`Machine`](super::Machine).
pub struct Server(pub(super) Arc<State>);

impl Server {
    /// The URL of its first database, for its user with this password.
    ///
    /// # Panics
    ///
    /// If it is still being started, by another run.
    pub fn url(&self, password: &str) -> String {
        let State { home, user, entrance, .. } = &*self.0;
        let entrance = entrance.get().expect("a server that is starting has no address yet");
        let (address, first) = (&entrance.address, home.name());
        format!("postgres://{user}:{password}@{address}/{first}?sslmode=disable")
    }

    /// Removes the server, with what is on it. One that is starting is removed as soon as it has started.
    pub async fn remove(&self) {
        self.0.leave();
        self.0.kill().await;
    }
}

pub(super) struct State {
    home: Arc<Db>,
    user: String,
    label: Option<String>,
    run: String,
    entrance: OnceLock<Entrance>,
    is_removed: AtomicBool,
}

impl State {
    pub(super) fn new(home: &Arc<Db>, number: usize, label: Option<&str>, run: &str) -> State {
        let (label, run) = (label.map(str::to_owned), run.to_owned());
        let (entrance, is_removed) = Default::default();
        let user = format!("{}_server_{number}", home.name());
        State { home: home.clone(), user, label, run, entrance, is_removed }
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
        let started = runtime().spawn(async move {
            let failed = |cause: String| Error::new("the server did not start").cause(cause);
            let upstream = state.add_user(&settings, &password).await;
            let upstream = upstream.map_err(|error| failed(error.to_string()))?;
            #[expect(clippy::disallowed_methods, reason = "this is the time that a start takes")]
            tokio::time::sleep(START).await;
            let entrance = Entrance::open(upstream).await;
            let entrance = entrance.map_err(|error| failed(error.to_string()))?;
            assert!(state.entrance.set(entrance).is_ok(), "a server is started once");
            if state.is_removed.load(Ordering::SeqCst) {
                state.kill().await;
            }
            Ok(())
        });
        started.await.expect("a start does not panic")
    }

    /// Gives the PostgreSQL of the run a user for this server; returns how it is reached.
    async fn add_user(
        &self,
        settings: &[String],
        password: &str,
    ) -> sqlx::Result<PgConnectOptions> {
        let (user, password) = (&self.user, password.replace('\'', "''"));
        let options: PgConnectOptions = self.home.superuser_url().parse()?;
        let mut admin = PgConnection::connect_with(&options).await?;
        let create = format!("CREATE ROLE \"{user}\" LOGIN CREATEDB PASSWORD '{password}'");
        admin.execute(AssertSqlSafe(create)).await?;
        for (name, value) in settings.iter().filter_map(|setting| setting.split_once('=')) {
            let set = format!("ALTER ROLE \"{user}\" SET {name} TO '{value}'");
            match admin.execute(AssertSqlSafe(set)).await {
                Err(sqlx::Error::Database(refused))
                    if refused.code().is_some_and(|code| code == NOT_NOW) => {}
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        admin.close().await.map(|()| options)
    }

    pub(super) async fn kill(&self) {
        if let Some(entrance) = self.entrance.get() {
            entrance.close().await;
        }
    }

    pub(super) fn freeze(&self) {
        if let Some(entrance) = self.entrance.get() {
            entrance.freeze();
        }
    }

    /// Removes it; nobody waits for that.
    pub(super) fn leave(&self) {
        self.is_removed.store(true, Ordering::SeqCst);
        if let Some(entrance) = self.entrance.get() {
            entrance.leave();
        }
    }
}
