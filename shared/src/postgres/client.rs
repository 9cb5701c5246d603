//! Connections to servers that we start ourselves: without TLS, without logs, and few.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgPool, PgPoolOptions};

use crate::address::{Address, Place};
use crate::{Error, Heading, wait};

/// More than a test needs at once, and so few that a hundred tests stay below the server's limit.
pub(super) const CONNECTIONS: u32 = 10;

/// The variable with the server's parameters for every session.
const OPTIONS_VAR: &str = "PGOPTIONS";

/// sqlx tries again when a server refuses, because the server may be starting. Our server has
/// started, so a refusal means that it is dead. A busy server answers sooner.
const ACQUIRE: Duration = Duration::from_secs(8);

/// Removes `PGOPTIONS` from this process's environment. The options in a shell are meant for the
/// user's own server. sqlx puts its own options behind them and cannot leave them out. Our URLs set
/// everything else that sqlx reads from the environment.
///
/// It is called before `main`.
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

/// What went wrong, in the server's own words. sqlx's words end with a line number of PostgreSQL's
/// source, which reads as one of the user's SQL.
pub(super) fn said(error: &sqlx::Error) -> String {
    let told = error.as_database_error();
    let Some(told) = told.and_then(|told| told.try_downcast_ref::<PgDatabaseError>()) else {
        return error.to_string();
    };
    let more = [("detail", told.detail()), ("hint", told.hint())];
    let more = more.into_iter().filter_map(|(what, text)| Some(format!("; {what}: {}", text?)));
    told.message().to_owned() + &more.collect::<String>()
}

/// How often we look for a connection. A connection returns to its pool after an answer of the
/// server.
const POLL: Duration = Duration::from_millis(1);

/// The parameters of a URL that sqlx knows. sqlx would log any other parameter with its value.
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
/// Host, port and database come from the address. If a given URL leaves something open, sqlx takes
/// it from the places that psql uses: `PGUSER`, `PGPASSWORD`, `~/.pgpass`, `PGSSLMODE`.
pub(super) fn options(address: &Address) -> Result<PgConnectOptions, Error> {
    let known = address.with_parameters(PARAMETERS);
    let options: PgConnectOptions = known.whole().parse().map_err(|cause: sqlx::Error| {
        Error::under(Heading::Given, format!("`{address}` is no PostgreSQL URL")).cause(cause)
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

/// Under a stopped clock, a limit of tokio's ends in no time. The clock leaps at most two years
/// (the range of tokio's timers) each time the runtime looks for something to do. Half a million
/// looks take longer than one task of a test waits for the connection of another task.
const STOPPED_ACQUIRE: Duration = Duration::from_secs(1_000_000 * 365 * 24 * 3600);

/// A pool that opens its first connection at the first query. For a test that has stopped tokio's
/// clock, it has no limit in tokio's time.
pub(super) fn pool(options: PgConnectOptions, clock_is_stopped: bool) -> PgPool {
    let acquire = if clock_is_stopped { STOPPED_ACQUIRE } else { ACQUIRE };
    quiet(acquire).connect_lazy_with(options)
}

/// Opens all connections of a pool, for a test that has stopped tokio's clock. sqlx's limits are in
/// tokio's time, so a login would not get an answer in time. The connections are opened on a
/// runtime of their own, which serves their sockets as long as the pool exists. The caller's
/// runtime stands still meanwhile.
///
/// A connection that cannot be opened is left out. The test's own query then meets the cause.
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
