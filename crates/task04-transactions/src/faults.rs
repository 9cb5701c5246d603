//! The faults, and the other right programs, that `COURSE_FAULT` switches on. Think of your own
//! faults before you look.
//!
//! Unless its fault is on, each of these functions returns its argument unchanged, or `None`.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Error};
use testenv::fault;

use crate::{Customer, add_order, add_user};

/// The cache of `cached-for-all`: user ids by address, from all transactions of the process.
static CACHE: LazyLock<Mutex<HashMap<String, i64>>> = LazyLock::new(Mutex::default);

pub(crate) fn added(email: &str, id: i64) {
    if fault!("cached-for-all") {
        CACHE.lock().unwrap_or_else(PoisonError::into_inner).insert(email.to_owned(), id);
    }
}

pub(crate) fn remembered(email: &str) -> Option<i64> {
    if fault!("cached-for-all") {
        return CACHE.lock().unwrap_or_else(PoisonError::into_inner).get(email).copied();
    }
    None
}

pub(crate) fn counting(exactly: &'static str) -> &'static str {
    if fault!("counts-by-statistics") {
        return "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'users'::regclass";
    }
    exactly
}

pub(crate) fn patience(local: &'static str) -> &'static str {
    if fault!("setting-outlives") { "SET lock_timeout = '2s'" } else { local }
}

/// Returns the statement that makes a second payment wait, and the parameter of the statement.
pub(crate) fn lock(statement: &'static str, order_id: i64) -> (&'static str, i64) {
    if fault!("lock-outlives") {
        return ("SELECT pg_advisory_lock($1)", order_id);
    }
    if fault!("one-lock-for-all") {
        return (statement, 1);
    }
    if fault!("row-lock") {
        return ("SELECT FROM orders WHERE id = $1 FOR UPDATE", order_id);
    }
    (statement, order_id)
}

/// Returns the answer of a program that registers in another way.
pub(crate) async fn register(
    db: &mut PgConnection,
    name: &str,
    email: &str,
    cents: i64,
) -> Option<Result<Customer, Error>> {
    if fault!("savepoint-forgotten") {
        return Some(one_after_the_other(db, name, email, cents).await);
    }
    if fault!("half-kept") {
        return Some(user_first(db, name, email, cents).await);
    }
    if fault!("rolls-back-too-much") {
        return Some(or_start_again(db, name, email, cents).await);
    }
    if fault!("table-locked") {
        return Some(alone(db, name, email, cents).await);
    }
    if fault!("begins-by-itself") {
        return Some(in_its_own_transaction(db, name, email, cents).await);
    }
    if fault!("one-statement") {
        return Some(both_in_one(db, name, email, cents).await);
    }
    None
}

async fn one_after_the_other(
    db: &mut PgConnection,
    name: &str,
    email: &str,
    cents: i64,
) -> Result<Customer, Error> {
    let user_id = add_user(&mut *db, name, email).await?;
    let order_id = add_order(db, user_id, cents).await?;
    Ok(Customer { user_id, order_id })
}

async fn user_first(
    db: &mut PgConnection,
    name: &str,
    email: &str,
    cents: i64,
) -> Result<Customer, Error> {
    let mut user = db.begin().await?;
    let user_id = add_user(&mut *user, name, email).await?;
    user.commit().await?;
    let mut order = db.begin().await?;
    let order_id = add_order(&mut *order, user_id, cents).await?;
    order.commit().await?;
    Ok(Customer { user_id, order_id })
}

async fn or_start_again(
    db: &mut PgConnection,
    name: &str,
    email: &str,
    cents: i64,
) -> Result<Customer, Error> {
    let answer = one_after_the_other(db, name, email, cents).await;
    if answer.is_err() {
        sqlx::raw_sql("ROLLBACK; BEGIN").execute(db).await?;
    }
    answer
}

async fn alone(
    db: &mut PgConnection,
    name: &str,
    email: &str,
    cents: i64,
) -> Result<Customer, Error> {
    let mut both = db.begin().await?;
    sqlx::query("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE").execute(&mut *both).await?;
    let customer = one_after_the_other(&mut both, name, email, cents).await?;
    both.commit().await?;
    Ok(customer)
}

/// In an open transaction the server only warns about the BEGIN, but obeys the COMMIT.
async fn in_its_own_transaction(
    db: &mut PgConnection,
    name: &str,
    email: &str,
    cents: i64,
) -> Result<Customer, Error> {
    sqlx::raw_sql("BEGIN").execute(&mut *db).await?;
    let answer = one_after_the_other(db, name, email, cents).await;
    let end = if answer.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sqlx::raw_sql(end).execute(db).await?;
    answer
}

async fn both_in_one(
    db: &mut PgConnection,
    name: &str,
    email: &str,
    cents: i64,
) -> Result<Customer, Error> {
    let mut both = db.begin().await?;
    let (user_id, order_id) = sqlx::query_as(
        "WITH new AS (INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id) \
         INSERT INTO orders (user_id, total_cents) SELECT id, $3 FROM new RETURNING user_id, id",
    )
    .bind(name)
    .bind(email)
    .bind(cents)
    .fetch_one(&mut *both)
    .await?;
    both.commit().await?;
    Ok(Customer { user_id, order_id })
}
