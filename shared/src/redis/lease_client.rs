//! The thread that leases databases to the tests of this process. It also empties them afterwards,
//! so that tests do not wait for that.
//!
//! A number is leased by the lock of its file in the run's directory. The kernel drops the lock on
//! any death, so a killed test frees its number. A file that is not empty marks the database of a
//! failed test. On a given server, the run also leases the number from other runs
//! (`remote_leases.rs`).
//!
//! Invariant: whoever holds a database's lock empties the database before it is handed out.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use tokio::sync::{OnceCell, oneshot};

use super::lease_worker::LeaseWorker;
use super::relay::Relay;
use super::server::{self, Server};
use crate::run::{ledger, on_own_thread};
use crate::service::REDIS;
use crate::{Error, Heading, verdict, wait};

/// How long a test waits if all databases are in use. Longer than a slow test holds a database, and
/// shorter than a runner's limit.
const LEASE_LIMIT: Duration = Duration::from_secs(60);

/// How often a test asks that waits for another test to end.
const POLL: Duration = Duration::from_millis(20);

/// A database of the server, leased until dropped.
#[derive(Debug)]
pub(super) struct Lease {
    number: u32,
    // Holds the lock; gone only while it is being given back.
    file: Option<File>,
    /// On a given server, the relay to the database.
    relay: Option<Relay>,
    /// The command that opens the database.
    command: String,
    requests: Sender<Request>,
}

impl Lease {
    pub(super) fn new(
        number: u32,
        file: File,
        relay: Option<Relay>,
        server: &Server,
        requests: Sender<Request>,
    ) -> Lease {
        Lease { number, file: Some(file), relay, command: server.command(number), requests }
    }

    /// The address of the database for a client.
    pub(super) fn url(&self, server: &Server) -> String {
        let direct = || server.url_of(self.number);
        self.relay.as_ref().map_or_else(direct, |relay| relay.url(server, self.number))
    }

    /// Keeps the data until the run ends.
    pub(super) fn keep(&self) {
        if let Some(mut file) = self.file.as_ref() {
            // A full disk loses the evidence, not the promise.
            file.write_all(b"kept").ok();
        }
    }

    /// The command that opens the database.
    pub(super) fn command(&self) -> String {
        self.command.clone()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Without its thread nobody empties the database now; the lock goes with the file all the same.
            drop(self.requests.send(Request::GiveBack(self.number, file, self.relay.take())));
        }
    }
}

/// The thread, as tests see it.
pub(super) struct LeaseClient {
    pub(super) server: Server,
    requests: Sender<Request>,
}

/// The client's answer: a lease, or why there is none yet.
pub(super) type Answer = Result<Result<Lease, String>, Error>;

/// A test's request to the client.
pub(super) enum Request {
    Lease(oneshot::Sender<Answer>),
    GiveBack(u32, File, Option<Relay>),
}

/// The client of this process. The first test that asks starts it.
pub(super) async fn of_this_process() -> Result<&'static LeaseClient, Error> {
    static CLIENT: OnceCell<LeaseClient> = OnceCell::const_new();
    CLIENT
        .get_or_try_init(|| {
            on_own_thread(async || {
                let (run, server) = server::of_the_run().await?;
                if !server.is_ours {
                    ledger::note(run.dir(), REDIS.name, "leases", &server.note())?;
                }
                let (requests, incoming) = mpsc::channel();
                let worker = LeaseWorker::new(run, server.clone(), requests.clone())?;
                std::thread::Builder::new()
                    .name("testenv-redis".into())
                    .spawn(move || worker.serve(&incoming))
                    .map_err(|cause| {
                        Error::under(Heading::Machine, "cannot start a thread").cause(cause)
                    })?;
                Ok(LeaseClient { server, requests })
            })
        })
        .await
}

impl LeaseClient {
    pub(super) async fn lease(&self) -> Result<Lease, Error> {
        let (all, var) = (self.server.databases - 1, REDIS.url_var);
        let what = format!("a free one of the {all} databases that tests can have");
        let gone =
            || Error::under(Heading::Databases, "the thread that leases Redis databases is gone");
        let leased = wait::until_every(POLL, LEASE_LIMIT, &what, || {
            let (reply, answer) = oneshot::channel();
            let asked = self.requests.send(Request::Lease(reply));
            async move {
                if asked.is_err() {
                    return Ok(Err(gone()));
                }
                match answer.await {
                    Ok(Ok(Ok(lease))) => Ok(Ok(lease)),
                    Ok(Ok(Err(busy))) => {
                        verdict::make_room(REDIS.name);
                        Err(busy)
                    }
                    Ok(Err(error)) => Ok(Err(error)),
                    Err(_) => Ok(Err(gone())),
                }
            }
        });
        let leased = leased.await.map_err(|error| {
            let error =
                error.fix("cargo test -- --test-threads=4, so that fewer tests run at once");
            if self.server.is_ours {
                error
            } else {
                error
                    .fix("start the given server with more: redis-server --databases 64")
                    .fix(format!("`unset {var}` to have a server started for the run"))
            }
        });
        leased?
    }
}
