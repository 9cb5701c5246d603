//! Connections to servers that we start ourselves: plain, quiet, few.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::Error;

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

/// The options of a URL, without a log line for every statement.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let options: PgConnectOptions = url.parse().map_err(|cause: sqlx::Error| {
        Error::new(format!("`{url}` is no PostgreSQL URL"))
            .cause(cause)
            .fix("write it as postgres://user:password@host:5432/database")
    })?;
    Ok(options.log_statements(log::LevelFilter::Off))
}

/// A pool that opens its first connection at the first query.
pub(super) fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        // The ping before each use is a round trip; a test's connections do not grow old.
        .test_before_acquire(false)
        .connect_lazy_with(options)
}
