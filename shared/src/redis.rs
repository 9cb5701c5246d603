//! A Redis database for one test, on a server that all tests share.
//!
//! A server has numbered databases. A test leases a number that no other live test has, in any
//! process, run or machine, and finds the database empty.
//!
//! Private to the test: every key, and so `KEYS *`, `SCAN`, `DBSIZE`, `FLUSHDB` and transactions.
//! Not private, because there is only one server:
//!
//! - channels: a message that is published in one database is heard in all;
//! - `FLUSHALL`, and commands that name another database: `SELECT`, `MOVE`, `COPY … DB`, `SWAPDB`;
//! - what belongs to the server: `CONFIG SET`, users, `SCRIPT` and `FUNCTION`, `CLIENT KILL`, its
//!   memory limit, what `INFO` and `MONITOR` show.
//!
//! ```no_run
//! # async fn test() {
//! let (mine, yours) = (testenv::redis::fresh_redis().await, testenv::redis::fresh_redis().await);
//! assert_ne!(mine.url(), yours.url(), "another number on the same server");
//! # }
//! ```
//!
//! # A server of `TESTENV_REDIS_URL`
//!
//! On a given server, tests use databases from 1 on that are empty when they are leased. Database 0
//! is never leased. It contains who leases what, in keys called `testenv:lease:<number>`,
//! `testenv:keys:<number>` and `testenv:run:<run>`, so that runs on several machines can use one
//! server.
//!
//! An application may write into a database that a test has leased. Redis does not say who made a
//! key. So [`Redis::url`] leads through a port of the test's process, and the names of the keys
//! that the test's clients write are noted there before the keys are written. When the test ends,
//! these keys are removed, and no others: nothing is flushed. If the database then contains keys of
//! others, it is not leased again until these keys are gone.
//!
//! However the run ends, none of its keys is left. If a process is killed, the next test of the
//! run, or the end of the run, removes its keys. If the machine of a run dies, the run loses its
//! leases ten minutes later, and the next test that needs its databases removes what was noted. The
//! notes miss three things:
//!
//! - a key whose name a script makes up, neither in `KEYS` nor in `ARGV`: it stays, and one line on
//!   standard error says so;
//! - a key that a test and an application both write, under one name: it is removed;
//! - what a test itself does to all keys: its `FLUSHDB` and `FLUSHALL` remove the keys of others
//!   too.
//!
//! The user of the URL needs `SELECT`, `DBSIZE`, `SADD`, `SMEMBERS`, `UNLINK`, `WATCH`,
//! transactions, and the keys of these names. With `COMMAND`, the server says which words of a
//! command are keys. Without it, all words of a command count as keys.
//!
//! Invariant: no two live tests have the same database. On a given server, only keys whose names a
//! test wrote are ever removed.

mod lease_worker;
mod remote_leases;
mod relay;
mod server;
mod lease_client;
mod stream;
mod written;

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use redis::IntoConnectionInfo;
use redis::aio::MultiplexedConnection;

/// How the server is started before a test asks for it.
pub(crate) const START: Starter = (REDIS.name, || crate::server::start(server::of_the_run()));

/// Removes what a run leased on a server that does not end with the run.
pub(crate) const CLEANER: Cleaner =
    Cleaner { is_external: true, ..Cleaner::new("redis", server::remove) };

use lease_client::Lease;

use crate::address::Address;
use crate::run::cleaner::Cleaner;
use crate::server::Starter;
use crate::service::REDIS;
use crate::verdict::{Evidence, Held, Told};
use crate::wait::HeldClock;
use crate::{Error, Heading, current_test, run, wait};

/// The client's own limits are one second to connect and half a second for an answer. A pause of a
/// loaded machine or a legitimate `BLPOP` takes longer.
const LIMIT: Duration = Duration::from_secs(10);

/// A server usually has sixteen databases. A process keeps the databases of up to this many ended
/// tests until it is known whether one failed.
const SPARE: usize = 4;

/// How many databases of failed tests are reported: the newest ones. They hold no lease.
const TOLD: usize = 16;

/// A Redis database that no other test uses.
///
/// Dropping it gives the database back to be emptied, and ends the connections to it. The drop
/// neither waits nor needs a runtime. The database of a failed test stays until the
/// run ends, or until another test of the run finds no other database. The line that opens it is
/// printed when the process ends.
///
/// ```no_run
/// # async fn test() {
/// use redis::AsyncCommands;
/// use testenv::Redis;
///
/// let redis: Redis = testenv::fresh_redis().await;
/// let mut connection = redis.connection().await;
/// let _: () = connection.set("greeting", "hello").await.unwrap();
/// // Any other client finds it at redis.url().
/// let client = redis::Client::open(redis.url()).unwrap();
/// # }
/// ```
#[must_use = "dropping the guard releases the database; bind it to a variable"]
pub struct Redis {
    address: Address,
    url: String,
    held: Held,
    // Gone only while it is being given back.
    lease: Option<Lease>,
}

/// Returns an empty Redis database that no other test can see.
///
/// Dropping it empties the database. If the test fails, the database stays, and its `redis-cli`
/// line is printed. If all databases of the server are in use, the call waits up to a minute for
/// one.
///
/// # Panics
///
/// If no server can be reached or started, or no database is free within a minute. The message says
/// what was tried and what to type.
///
/// ```no_run
/// # async fn test() {
/// let redis = testenv::fresh_redis().await;
/// println!("redis-cli -u {}", redis.url());
/// # }
/// ```
#[track_caller]
pub fn fresh_redis() -> impl Future<Output = Redis> {
    let asked = Location::caller();
    async move {
        let made = make(current_test::name()).await;
        made.unwrap_or_else(|error| error.raise(asked))
    }
}

impl Redis {
    /// The address for any client: `redis://:password@host:port/number`. It works on this machine,
    /// as long as the [`Redis`] is held.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens a connection, which lives as long as the runtime on which it was opened. Its clones
    /// share it. If the server does not answer within ten seconds, that is an error. This is real
    /// time, even if tokio's clock is stopped.
    ///
    /// The connection does not hold the database: keep the [`Redis`] in a variable for as long as
    /// the test uses it. `fresh_redis().await.connection().await` leads into a database that is
    /// already being given back.
    ///
    /// # Panics
    ///
    /// If the server does not answer any more.
    pub async fn connection(&self) -> MultiplexedConnection {
        let info = self
            .url
            .as_str()
            .into_connection_info()
            .expect("the server was greeted under this address");
        let opened = stream::open(&info).await;
        opened.unwrap_or_else(|cause| panic!("{}", server::failed(cause)))
    }
}

impl fmt::Debug for Redis {
    /// The address has no password, because others may read what a test prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.address).finish()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.held.end(Used { open: lease.command(), lease: Some(lease) });
        }
    }
}

/// A database whose test has ended. Its lease is released when it is known whether the test failed.
struct Used {
    open: String,
    lease: Option<Lease>,
}

impl Evidence for Used {
    fn room(&self) -> usize {
        if self.lease.is_some() { SPARE } else { TOLD }
    }

    fn keep(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.keep();
        }
    }

    fn let_go(&mut self) {
        // A database that is kept can be leased by another test of the run already: it gives way where there is no other.
        self.lease = None;
    }

    fn told(&self) -> Told {
        Told {
            stays: format!(
                "database stays until the run ends, {} ms after the last test",
                run::grace().as_millis()
            ),
            open: Some(self.open.clone()),
            more: vec![format!("keep it for ten minutes: export {}=600000", run::GRACE_VAR)],
        }
    }
}

async fn make(test: String) -> Result<Redis, Error> {
    wait::expect_runtime("a Redis database")?;
    let _until_it_is_leased = HeldClock::new();
    let client = lease_client::of_this_process().await?;
    let lease = client.lease().await?;
    let url = lease.url(&client.server);
    let address = REDIS
        .address(&url)
        .map_err(|cause| Error::under(Heading::Given, "no address of a database").cause(cause))?;
    Ok(Redis { url, address, held: Held::new(REDIS.name, test), lease: Some(lease) })
}
