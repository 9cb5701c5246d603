//! Removes our databases, together with objects of ours that prevent the removal.
//!
//! Invariant: nothing outside the database that is being dropped is changed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::runtime::Runtime;

use super::{LOGIN_LIMIT, Server};
use crate::address::Address;
use crate::postgres::{client, failed};
use crate::run::cleaner::Refused;
use crate::wait;

/// The limit for a server's answer. PostgreSQL itself waits 5 s for the sessions that it ends.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The limit for the readers of the database's slots and the publishers of its subscriptions.
const READER_LIMIT: Duration = Duration::from_secs(2);

/// A role, or the URL, may have limits that are right for an application but not for us. A session
/// of ours may be idle for hours, and copying a large template takes time. And if somebody holds
/// the lock of a database (an open transaction with `ALTER DATABASE`), the server must refuse
/// instead of waiting until nothing answers.
const LIMITS: &str = "SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN '10s' WHEN 'default_transaction_read_only' THEN 'off' ELSE '0' END, false)
    FROM pg_settings WHERE name IN ('lock_timeout', 'default_transaction_read_only', 'statement_timeout', 'transaction_timeout',
        'idle_session_timeout', 'idle_in_transaction_session_timeout')";

/// The server on which a reaper works, which removes one database after the other.
enum At {
    /// One login serves all databases. A debug build takes 40 ms for each login.
    Open(Runtime, PgConnection),
    /// A kept server that was stopped. Everything on it was in memory and is gone.
    Gone,
}

/// Removes a database of ours from an external server, or marks the database if its test failed. It
/// is for the reaper.
pub(crate) fn remove(_token: &str, name: &str, note: &str) -> Result<(), Refused> {
    static AT: Mutex<Option<(Address, At)>> = Mutex::new(None);
    let server = Server::read(note).map_err(|error| away(&error))?;
    let mut at = AT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = at.take().filter(|(address, _)| address == server.address()).map(|(_, at)| at);
    let done = match known {
        Some(known) => remove_at(known, &server, name, note),
        None => open(&server).and_then(|open| remove_at(open, &server, name, note)),
    };
    let left = match done {
        Ok(left) => left,
        Err(Refused::Unreachable(_)) if server.known.is_gone() => At::Gone,
        Err(refused) => return Err(refused),
    };
    *at = Some((server.address().clone(), left));
    Ok(())
}

/// Removes or marks the database. Returns the session, which serves the next database too.
fn remove_at(at: At, server: &Server, name: &str, note: &str) -> Result<At, Refused> {
    let At::Open(runtime, mut admin) = at else { return Ok(at) };
    runtime.block_on(async {
        if note.ends_with(failed::WORD) {
            within(ANSWER_LIMIT, failed::mark(&mut admin, name)).await
        } else {
            drop_surely(server, &mut admin, name).await
        }
    })?;
    Ok(At::Open(runtime, admin))
}

fn open(server: &Server) -> Result<At, Refused> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| away(&error))?;
    let admin = runtime.block_on(within(LOGIN_LIMIT, login(server)))?;
    Ok(At::Open(runtime, admin))
}

fn away(error: &dyn std::fmt::Display) -> Refused {
    Refused::Unreachable(error.to_string())
}

/// Opens a session for the harness's own work, without the limits of its role.
pub(in crate::postgres) async fn login(server: &Server) -> sqlx::Result<PgConnection> {
    session(&server.options).await
}

async fn session(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let mut session = options.connect().await?;
    session.execute(LIMITS).await?;
    Ok(session)
}

/// Removes a database, and ends the sessions that are still connected to it.
pub(in crate::postgres) async fn drop_database(
    admin: &mut PgConnection,
    name: &str,
) -> sqlx::Result<()> {
    execute(admin, format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await
}

/// Whether the harness has made the name: `test_<token of the run>_<process>_<number>`. Nobody else's
/// begins so.
fn is_made_by_us(name: &str) -> bool {
    let parts: Vec<&str> = name.split('_').collect();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    matches!(parts[..], ["test", token, process, number]
        if token.len() == 16
            && token.bytes().all(|it| it.is_ascii_hexdigit())
            && is_number(process)
            && is_number(number))
}

/// The databases that a test created by itself and named after its own. `test_…_12` is another test's
/// than `test_…_1`, and `test_…_1_…` is nobody else's.
const NAMED_AFTER: &str =
    "SELECT datname::text FROM pg_database WHERE starts_with(datname, $1 || '_')";

/// Removes the roles that are named after a removed database of ours. No other database has its
/// name, so nobody else created these roles.
async fn drop_roles(admin: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    // `test_…_12` is another database than `test_…_1`.
    let named = "SELECT format('DROP ROLE IF EXISTS %I', rolname) FROM pg_roles WHERE rolname ~ ($1 || '([^0-9]|$)')";
    for drop in names(admin, named, name).await? {
        execute(admin, drop).await?;
    }
    Ok(())
}

/// Removes a database with the databases and roles that are named after it. If the server refuses,
/// removes first what is in the way. A test may have left objects that not even the end of the test
/// removes.
pub(in crate::postgres) async fn drop_surely(
    server: &Server,
    admin: &mut PgConnection,
    name: &str,
) -> Result<(), Refused> {
    // A test has noted it under a name of its own choice, after which anything may be named.
    if !is_made_by_us(name) {
        return drop_itself(server, admin, name).await;
    }
    // First: whoever is interrupted still finds them by the database's own name.
    for other in within(ANSWER_LIMIT, names(admin, NAMED_AFTER, name)).await? {
        drop_itself(server, admin, &other).await?;
    }
    drop_itself(server, admin, name).await?;
    // A server of the run's own takes its roles with it.
    if server.is_ours {
        return Ok(());
    }
    within(ANSWER_LIMIT, drop_roles(admin, name)).await
}

async fn drop_itself(server: &Server, admin: &mut PgConnection, name: &str) -> Result<(), Refused> {
    match within(ANSWER_LIMIT, drop_database(admin, name)).await {
        Err(Refused::Stays(_)) => {}
        done => return done,
    }
    // What cannot be cleared, the server says again.
    within(ANSWER_LIMIT, clear_way(server, admin, name)).await.ok();
    let refused = match within(ANSWER_LIMIT, drop_database(admin, name)).await {
        Err(Refused::Stays(why)) => why,
        done => return done,
    };
    let in_the_way = within(ANSWER_LIMIT, in_the_way(admin, name)).await?;
    Err(Refused::Stays(match in_the_way.as_slice() {
        [] => refused,
        some => format!("{refused}; in its way: {}", some.join(", ")),
    }))
}

/// Lists what keeps a database from being dropped, in words that a reader of the reaper's log can
/// look up.
async fn in_the_way(admin: &mut PgConnection, name: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT format('the prepared transaction %L of %s', gid, owner) FROM pg_prepared_xacts WHERE database = $1
         UNION ALL SELECT format('the replication slot %s', slot_name) FROM pg_replication_slots WHERE database = $1
         UNION ALL SELECT format('the subscription %s', s.subname) FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid WHERE d.datname = $1
         UNION ALL SELECT format('the session %s of %s', pid, usename) FROM pg_stat_activity WHERE datname = $1 AND usename IS NOT NULL
         UNION ALL SELECT format('its owner is %s', pg_get_userbyid(datdba)) FROM pg_database WHERE datname = $1 AND NOT pg_has_role(datdba, 'USAGE')",
    )
    .bind(name)
    .fetch_all(admin)
    .await
}

/// Removes what keeps a database of ours from being dropped.
async fn clear_way(server: &Server, admin: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    execute(admin, format!("ALTER DATABASE \"{name}\" IS_TEMPLATE false")).await?;
    let prepared: Vec<String> = names(
        admin,
        "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts WHERE database = $1",
        name,
    )
    .await?;
    let subscriptions: Vec<String> = names(
        admin,
        "SELECT quote_ident(s.subname) FROM pg_subscription AS s JOIN pg_database AS d ON d.oid = s.subdbid WHERE d.datname = $1",
        name,
    )
    .await?;
    if !prepared.is_empty() || !subscriptions.is_empty() {
        clear_inside(server, admin, name, prepared, subscriptions).await?;
    }
    // Dropping a database drops its slots, unless somebody reads from one. Whoever does comes back a moment later, so this is the last.
    sqlx::query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = $1 AND active_pid IS NOT NULL")
        .bind(name)
        .execute(&mut *admin)
        .await?;
    let active = "SELECT slot_name::text FROM pg_replication_slots WHERE database = $1 AND active";
    wait::until(READER_LIMIT, "the end of its slots' readers", async || {
        match names(admin, active, name).await {
            Ok(active) if active.is_empty() => Ok(()),
            Ok(active) => Err(active.join(", ")),
            Err(error) => Err(client::said(&error)),
        }
    })
    .await
    .ok(); // the server says it when the database is dropped
    Ok(())
}

/// Removes what can be removed only from a session in the database itself.
async fn clear_inside(
    server: &Server,
    admin: &mut PgConnection,
    name: &str,
    prepared: Vec<String>,
    subscriptions: Vec<String>,
) -> sqlx::Result<()> {
    // A test, or a template, may have closed it.
    let open = format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true CONNECTION LIMIT -1");
    execute(admin, open).await?;
    let options = server.options.clone().database(name);
    let mut inside = session(&options).await?;
    for rollback in prepared {
        // Another role's transaction is refused, and may not be the only thing in the way.
        execute(&mut inside, rollback).await.ok();
    }
    for subscription in subscriptions {
        execute(&mut inside, format!("ALTER SUBSCRIPTION {subscription} DISABLE")).await.ok();
        let drop = format!("DROP SUBSCRIPTION {subscription}");
        // With its slot on the publisher; where nobody answers there, without.
        let dropped = tokio::time::timeout(READER_LIMIT, execute(&mut inside, drop.clone())).await;
        if matches!(dropped, Ok(Ok(()))) {
            continue;
        }
        if dropped.is_err() {
            inside = session(&options).await?;
        }
        let leave = format!("ALTER SUBSCRIPTION {subscription} SET (slot_name = NONE)");
        execute(&mut inside, leave).await.ok();
        execute(&mut inside, drop).await.ok();
    }
    inside.close().await
}

async fn names(
    admin: &mut PgConnection,
    query: &'static str,
    name: &str,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(query).bind(name).fetch_all(admin).await
}

/// Runs any number of our statements.
pub(in crate::postgres) async fn execute(
    admin: &mut PgConnection,
    sql: String,
) -> sqlx::Result<()> {
    admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
}

/// Waits for the answer of a server that may be away, or may refuse.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = sqlx::Result<T>>,
) -> Result<T, Refused> {
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if is_lost(&error) => Err(Refused::Unreachable(client::said(&error))),
        Ok(Err(error)) => Err(Refused::Stays(client::said(&error))),
        Err(_) => Err(Refused::Unreachable(format!("no answer in {limit:?}"))),
    }
}

/// Whether an error is the end of the session, and not the server's answer. Class 57P of the
/// appendix "PostgreSQL Error Codes" is what a server says last, when it stops, starts or ends a
/// session.
pub(in crate::postgres) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => true,
    }
}
