//! How an attempt and a call end without an answer.

use testenv::fault;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No attempt got an answer. Nothing was changed: the caller may repeat the call.
    #[error("PostgreSQL is not available: no answer in {attempts} attempt(s)")]
    Unavailable {
        /// How many attempts were made.
        attempts: u32,
        /// Why the last one failed.
        #[source]
        cause: sqlx::Error,
    },
    /// The order was sent and no answer came: the order may be there or not. The caller has to
    /// look before it repeats the call.
    #[error("no answer to the order: it may be placed or not")]
    Unknown(#[source] sqlx::Error),
    /// The server reported an error. Nothing was changed, and a repeated call gets the same error.
    #[error("PostgreSQL refused the statement")]
    Refused(#[source] sqlx::Error),
}

/// Why an attempt failed.
pub(crate) enum Miss {
    /// No statement was sent.
    NoConnection(sqlx::Error),
    /// A statement was sent.
    NoAnswer(sqlx::Error),
    /// The server answered with an error.
    Refused(sqlx::Error),
}

impl Miss {
    pub(crate) fn of_connecting(error: sqlx::Error) -> Miss {
        if is_refusal(&error) { Miss::Refused(error) } else { Miss::NoConnection(error) }
    }

    pub(crate) fn of_statement(error: sqlx::Error) -> Miss {
        if is_refusal(&error) { Miss::Refused(error) } else { Miss::NoAnswer(error) }
    }
}

/// The cause of an attempt that took too long.
pub(crate) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// Whether the server reported an error and would report it again.
fn is_refusal(error: &sqlx::Error) -> bool {
    if fault!("refusal-retried") {
        return false;
    }
    let Some(code) = error.as_database_error().and_then(|error| error.code()) else { return false };
    // Class 57P: the server starts, stops, or ends this session. Its next session may be served.
    !code.starts_with("57P") || fault!("restart-is-refusal")
}
