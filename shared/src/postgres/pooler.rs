//! A pooler before a given server, such as `PgBouncer`.
//!
//! In session mode it is as good as the server. In transaction mode each statement may reach another
//! session: prepared statements, `SET`, temporary tables and locks of one test meet those of others.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor, Row};

use super::client;
use crate::Error;

/// How often two sessions are asked who they are. Beside others, a pooler may give them two of the
/// server's sessions for a while.
const LOOKS: usize = 3;

const IN_TRANSACTION_MODE: &str = "a pooler answers there in transaction mode, as PgBouncer does: the statements of one session reach several of the server's";

const AT_LOGIN: &str =
    "a pooler answers there, as PgBouncer does, and refuses a setting that clients send first";

/// Codes of PostgreSQL: another client of the same session has prepared a statement of this name, or
/// has not.
const OF_ANOTHER_CLIENT: [&str; 2] = ["42P05", "26000"];

/// Makes sure that a session is the same one of the server from statement to statement.
///
/// # Errors
///
/// The one that `refused` makes of the cause, if a pooler answers or the server gives an error.
pub(super) async fn expect_none(
    first: &mut PgConnection,
    options: &PgConnectOptions,
    refused: impl Fn(String) -> Error,
) -> Result<(), Error> {
    match is_there(first, options).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(with_cures(refused(IN_TRANSACTION_MODE.into()))),
        Err(cause) => Err(told(&cause, refused)),
    }
}

async fn is_there(first: &mut PgConnection, options: &PgConnectOptions) -> sqlx::Result<bool> {
    let mut second = options.connect().await?;
    let known = (backend(first).await?, backend(&mut second).await?);
    let mut is_there = known.0 == known.1;
    for _ in 1..LOOKS {
        is_there |= known != (backend(first).await?, backend(&mut second).await?);
    }
    drop(second.close().await);
    Ok(is_there)
}

/// The server's session that this statement reaches. Nothing is prepared for it.
async fn backend(session: &mut PgConnection) -> sqlx::Result<i32> {
    session.fetch_one(sqlx::raw_sql("SELECT pg_backend_pid()")).await?.try_get(0)
}

/// What `refused` makes of an error, with what it means if a pooler gave it.
pub(super) fn told(error: &sqlx::Error, refused: impl Fn(String) -> Error) -> Error {
    let said = client::said(error);
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    let meaning = if OF_ANOTHER_CLIENT.contains(&&*code) {
        IN_TRANSACTION_MODE
    } else if said.contains("unsupported startup parameter") {
        AT_LOGIN
    } else {
        return refused(said);
    };
    with_cures(refused(format!("{meaning} ({said})")))
}

fn with_cures(error: Error) -> Error {
    error
        .fix("name the server itself, not its pooler")
        .fix("in the pooler's settings: pool_mode = session, ignore_startup_parameters = extra_float_digits")
}
