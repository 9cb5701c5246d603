//! The faults of this task, and its other right programs. Think of your own faults before you look.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use testenv::fault;

use crate::{Failure, Policy};

/// A limit that nobody waits for: sqlx's own for connecting.
const SQLX_LIMIT: Duration = Duration::from_secs(30);

/// Returns the options of the pool.
pub(crate) fn pool(policy: &Policy) -> PgPoolOptions {
    let options = PgPoolOptions::new()
        .max_connections(policy.connections)
        .acquire_timeout(connecting(policy.attempt))
        // A round trip more for each statement. What it saves is an order that may be placed or not.
        .test_before_acquire(!fault!("dead-connections-handed-out"));
    if fault!("no-pool") {
        return options.after_release(|_connection, _meta| Box::pin(async { Ok(false) }));
    }
    options
}

/// Returns the limit of an attempt.
pub(crate) fn attempt(policy: &Policy) -> Duration {
    if fault!("limit-hard-coded") { Duration::from_millis(1500) } else { policy.attempt }
}

/// Returns the limit for a connection.
pub(crate) fn connecting(limit: Duration) -> Duration {
    let is_unlimited = fault!("no-timeout") || fault!("timeout-on-answer-only");
    if is_unlimited { SQLX_LIMIT } else { limit }
}

/// Returns the limit for an answer.
pub(crate) fn answering(limit: Duration) -> Duration {
    let is_unlimited = fault!("no-timeout") || fault!("timeout-on-connecting-only");
    if is_unlimited { Duration::MAX } else { limit }
}

/// Returns the most attempts of a call.
pub(crate) fn attempts(policy: &Policy, repeatable: bool) -> u32 {
    if fault!("no-retry") || (!repeatable && fault!("insert-never-retried")) {
        return 1;
    }
    if fault!("retry-without-bound") {
        return u32::MAX;
    }
    if fault!("fewer-attempts") && policy.attempts > 2 {
        return policy.attempts - 1;
    }
    policy.attempts
}

/// Returns how long to wait after this many attempts.
pub(crate) fn pause(policy: &Policy, attempts: u32) -> Duration {
    if fault!("pause-doubles") {
        return policy.pause.saturating_mul(2_u32.saturating_pow(attempts - 1));
    }
    policy.pause
}

/// Says whether an INSERT without an answer is sent again.
pub(crate) fn repeats_insert(cause: &sqlx::Error) -> bool {
    match cause {
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            fault!("insert-retried-after-timeout")
        }
        _ => fault!("insert-retried-after-cut"),
    }
}

/// Returns the failure of an INSERT without an answer.
pub(crate) fn unknown(cause: sqlx::Error, attempts: u32) -> Failure {
    if fault!("unknown-is-unavailable") {
        return Failure::Unavailable { attempts, cause };
    }
    Failure::Unknown(cause)
}
