#![doc = "[before]: ../task03_postgres/index.html\n[next]: ../task05_random_port/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
//!
//! The repository is a set of functions, not an object with a pool. The caller chooses the
//! connection, and so the transaction.

mod faults;

use sqlx::postgres::{PgConnection, PgExecutor};
use sqlx::{Connection, Error};

/// The ids of the rows that [`register`] added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Customer {
    /// The new user.
    pub user_id: i64,
    /// The first order of the user.
    pub order_id: i64,
}

/// Adds a user and returns the id.
///
/// The function runs one statement, so any executor will do: a pool, a connection, a transaction.
///
/// ```no_run
/// # use task04_transactions::add_user;
/// # async fn anywhere(pool: &sqlx::PgPool) -> Result<(), sqlx::Error> {
/// add_user(pool, "Ada", "ada@example.org").await?; // committed at once
///
/// let mut transaction = pool.begin().await?;
/// add_user(&mut *transaction, "Bob", "bob@example.org").await?;
/// transaction.rollback().await // there was never a Bob
/// # }
/// ```
///
/// # Errors
///
/// The error of the database: the address is taken, or the name is empty.
pub async fn add_user(db: impl PgExecutor<'_>, name: &str, email: &str) -> Result<i64, Error> {
    let id = sqlx::query_scalar("INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id")
        .bind(name)
        .bind(email)
        .fetch_one(db)
        .await?;
    faults::added(email, id);
    Ok(id)
}

/// Returns the id of the user with this address, or `None` when nobody has it.
///
/// # Errors
///
/// The error of the database.
pub async fn find_user(db: impl PgExecutor<'_>, email: &str) -> Result<Option<i64>, Error> {
    if let Some(id) = faults::remembered(email) {
        return Ok(Some(id));
    }
    sqlx::query_scalar("SELECT id FROM users WHERE email = $1").bind(email).fetch_optional(db).await
}

/// Returns the number of users.
///
/// # Errors
///
/// The error of the database.
pub async fn count_users(db: impl PgExecutor<'_>) -> Result<i64, Error> {
    sqlx::query_scalar(faults::counting("SELECT count(*) FROM users")).fetch_one(db).await
}

/// Adds a user with a first order: both or neither.
///
/// The two statements belong together and need one connection, so a pool will not do. If the
/// caller is in a transaction, the statements run in a savepoint; else they run in a transaction.
///
/// # Errors
///
/// The error of the database: the address is taken, the name is empty, or the total is negative.
/// After an error the caller's transaction can go on.
pub async fn register(
    db: &mut PgConnection,
    name: &str,
    email: &str,
    first_order_cents: i64,
) -> Result<Customer, Error> {
    if let Some(answer) = faults::register(db, name, email, first_order_cents).await {
        return answer;
    }
    let mut both = db.begin().await?;
    let user_id = add_user(&mut *both, name, email).await?;
    let order_id = add_order(&mut *both, user_id, first_order_cents).await?;
    both.commit().await?;
    Ok(Customer { user_id, order_id })
}

/// Marks an open order as paid. Two payments of one order queue up, and the second payment finds
/// the order paid.
///
/// # Errors
///
/// [`Error::RowNotFound`] when no open order has this id. The error of the database when the call
/// has waited two seconds for another payment of the order.
pub async fn pay(db: &mut PgConnection, order_id: i64) -> Result<(), Error> {
    let mut payment = db.begin().await?;
    // LOCAL and `_xact_`: both end with the transaction, however it ends.
    sqlx::query(faults::patience("SET LOCAL lock_timeout = '2s'")).execute(&mut *payment).await?;
    let (lock, key) = faults::lock("SELECT pg_advisory_xact_lock($1)", order_id);
    sqlx::query(lock).bind(key).execute(&mut *payment).await?;
    let paid = sqlx::query("UPDATE orders SET status = 'paid' WHERE id = $1 AND status = 'open'")
        .bind(order_id)
        .execute(&mut *payment)
        .await?;
    if paid.rows_affected() == 0 {
        return Err(Error::RowNotFound);
    }
    payment.commit().await
}

async fn add_order(db: impl PgExecutor<'_>, user_id: i64, cents: i64) -> Result<i64, Error> {
    sqlx::query_scalar("INSERT INTO orders (user_id, total_cents) VALUES ($1, $2) RETURNING id")
        .bind(user_id)
        .bind(cents)
        .fetch_one(db)
        .await
}
