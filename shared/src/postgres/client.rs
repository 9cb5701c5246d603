//! Connections to servers that we start ourselves: plain, quiet, few.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::address::{Address, Place};
use crate::{Error, wait};

/// More than a test needs at once, so few that a hundred tests stay below the server's limit.
pub(super) const CONNECTIONS: u32 = 10;

/// Parameters of the server's, for every session.
const OPTIONS_VAR: &str = "PGOPTIONS";

/// sqlx tries again when a server refuses, for it may be starting; ours has started, so one that refuses is dead. A busy one answers in less.
const ACQUIRE: Duration = Duration::from_secs(8);

/// Takes `PGOPTIONS` from this process: options of the shell are about a server of its user's, and sqlx puts its own behind them and has no way to leave
/// them out. Everything else that it reads from the environment a URL of ours says itself.
///
/// Called before `main`.
pub(crate) fn forget_options_of_the_shell() {
    if std::env::var_os(OPTIONS_VAR).is_some() {
        #[expect(
            unsafe_code,
            reason = "before `main` there is one thread, which is what the environment asks for"
        )]
        unsafe {
            std::env::remove_var(OPTIONS_VAR);
        }
    }
}
/// A connection goes back to its pool after an answer of the server.
const POLL: Duration = Duration::from_millis(1);

/// The parameters of a URL that sqlx knows. It would log any other, with its value.
const PARAMETERS: &[&str] = &[
    "application_name",
    "options",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
];

/// The options of an address, without a log line for every statement.
///
/// Host, port and database are the address's. What a given URL leaves open sqlx takes from where psql would: `PGUSER`, `PGPASSWORD`, `~/.pgpass`, `PGSSLMODE`.
pub(super) fn options(address: &Address) -> Result<PgConnectOptions, Error> {
    let known = address.with_parameters(PARAMETERS);
    let options: PgConnectOptions = known.whole().parse().map_err(|cause: sqlx::Error| {
        Error::new(format!("`{address}` is no PostgreSQL URL")).cause(cause)
    })?;
    let options = match &address.places()[0] {
        // A URL has an IPv6 number in brackets, and sqlx would take them for a part of a name.
        Place::Tcp(host, _) => options.host(host),
        Place::Socket(..) => options,
    };
    let name = known.parameters().iter().any(|(name, _)| name == "application_name");
    let options = if name { options } else { options.application_name("testenv") };
    Ok(options.log_statements(log::LevelFilter::Off))
}

/// Under a stopped clock a limit of tokio's is over in no time: the clock leaps at most two years (the range of tokio's timers) each time the runtime looks for
/// something to do. Half a million looks take longer than one test's task waits for another's connection.
const STOPPED_ACQUIRE: Duration = Duration::from_secs(1_000_000 * 365 * 24 * 3600);

/// A pool that opens its first connection at the first query; for a test that has stopped tokio's clock, one without a limit of tokio's time.
pub(super) fn pool(options: PgConnectOptions, clock_is_stopped: bool) -> PgPool {
    let acquire = if clock_is_stopped { STOPPED_ACQUIRE } else { ACQUIRE };
    quiet(acquire).connect_lazy_with(options)
}

/// Opens the connections that a pool may have, for a test that has stopped tokio's clock: sqlx's limits are of tokio's time, so a login would not get an answer
/// in time. They are opened on a runtime of their own, which serves their sockets as long as there is the pool; the caller's stands still meanwhile.
///
/// What cannot be opened is not: then the test's own query meets the cause.
pub(super) fn open(pool: &PgPool) {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let (closed, pool) = (pool.close_event(), pool.clone());
    let opened = std::thread::Builder::new().name("testenv-pool".into()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async move {
            fill(&pool).await;
            drop((pool, tell));
            closed.await;
        });
    });
    if opened.is_ok() {
        told.recv().ok(); // nothing is ever sent: it is done when the sender is gone
    }
}

async fn fill(pool: &PgPool) {
    let new = (CONNECTIONS - pool.size().min(CONNECTIONS)) as usize;
    let mut held = Vec::new();
    while pool.size() < CONNECTIONS {
        let Ok(connection) = pool.acquire().await else { break };
        held.push(connection);
    }
    drop(held);
    // They go back by a task, after an answer of the server.
    let all_back =
        || if pool.num_idle() >= new { Ok(()) } else { Err(format!("{}", pool.num_idle())) };
    let back = wait::until_every(POLL, ACQUIRE, "the pool's connections", || {
        std::future::ready(all_back())
    });
    back.await.ok(); // those that are back serve
}

fn quiet(acquire: Duration) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(acquire)
        // The ping before each use is a round trip; a test's connections do not grow old.
        .test_before_acquire(false)
        // Nor is there a task that looks for old ones: its timer would move a stopped clock.
        .idle_timeout(None)
        .max_lifetime(None)
}

#[cfg(test)]
mod tests {
    use super::options;
    use crate::service::POSTGRES;

    #[test]
    fn the_client_is_told_what_the_address_says() {
        let given = |url| options(&POSTGRES.address(url).unwrap()).unwrap();

        let number = given("postgres://u:p@[::1]/db?options=-c%20jit%3Doff&connect_timeout=5");
        let socket = given("postgres://u@/db?host=/run/pg&application_name=shop");

        assert_eq!((number.get_host(), number.get_port()), ("::1", 5432));
        assert_eq!(number.get_options(), Some("-c jit=off"));
        assert_eq!(number.get_application_name(), Some("testenv"));
        assert_eq!(socket.get_socket().unwrap().to_str(), Some("/run/pg"));
        assert_eq!(socket.get_database(), Some("db"));
        assert_eq!(socket.get_application_name(), Some("shop"));
    }
}
