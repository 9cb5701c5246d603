//! The wrong programs, and the other right ones, that `COURSE_FAULT` switches on.
//!
//! Think about mistakes of your own before you read on. Where a wrong program would omit something
//! from its file, this module removes it from the restored copy. A test cannot tell the difference.

#![expect(clippy::disallowed_methods, reason = "the faults are what no seed repeats")]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::PgPool;
use testenv::{Db, Error, Template, fault, snapshot};

use crate::Shop;

/// The only database of `one-for-all`.
static ONE: tokio::sync::OnceCell<Arc<Db>> = tokio::sync::OnceCell::const_new();
/// The databases that `kept-warm` returns again.
static WARM: Mutex<Vec<Arc<Db>>> = Mutex::new(Vec::new());

/// Takes a snapshot as the fault that is on does.
pub(crate) async fn take(db: &Db, path: &Path) -> Option<Result<(), Error>> {
    if fault!("first-file-stays") && path.exists() {
        return Some(Ok(()));
    }
    if fault!("another-database") {
        return Some(snapshot::dump(&testenv::fresh_db().await, path).await);
    }
    if fault!("only-its-schema") {
        return Some(empty(db, path).await);
    }
    None
}

/// Restores a shop as the fault that is on does.
pub(crate) async fn restore(path: &Path) -> Option<Shop> {
    if fault!("one-for-all") {
        let db = ONE.get_or_init(async || Arc::new(Template::snapshot(path).fresh().await)).await;
        return Some(reopened(db.clone()));
    }
    if fault!("kept-warm") {
        let warm = WARM.lock().unwrap_or_else(PoisonError::into_inner).pop();
        return match warm {
            Some(db) => Some(reopened(db)),
            None => Some(reopened(Arc::new(Template::snapshot(path).fresh().await))),
        };
    }
    let change = change()?;
    let db = Template::snapshot(path).fresh().await;
    sqlx::raw_sql(change)
        .execute(db.pool())
        .await
        .expect("the snapshot has the tables of the shop");
    let pool = db.pool().clone();
    Some(Shop { db: Arc::new(db), pool })
}

/// Keeps the database of a dropped shop if `kept-warm` is on.
pub(crate) fn closed(db: &Arc<Db>) {
    if fault!("kept-warm") {
        WARM.lock().unwrap_or_else(PoisonError::into_inner).push(db.clone());
    }
}

/// Returns the seed that the generator uses.
pub(crate) fn seed(seed: u64) -> u64 {
    if fault!("seeded-by-luck") { RandomState::new().build_hasher().finish() } else { seed }
}

/// Returns the SQL that makes the copy differ from the file.
fn change() -> Option<&'static str> {
    if fault!("rows-cut") {
        return Some("DELETE FROM orders WHERE id = (SELECT max(id) FROM orders)");
    }
    if fault!("read-as-latin") {
        return Some("UPDATE users SET name = convert_from(convert_to(name, 'UTF8'), 'LATIN1')");
    }
    if fault!("times-moved") {
        return Some("UPDATE orders SET placed_at = placed_at + interval '2 hours'");
    }
    if fault!("ids-begin-again") {
        return Some("ALTER TABLE users ALTER id RESTART; ALTER TABLE orders ALTER id RESTART");
    }
    if fault!("orders-begin-again") {
        return Some("ALTER TABLE orders ALTER id RESTART");
    }
    if fault!("references-lost") {
        return Some("ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey");
    }
    if fault!("uniqueness-lost") {
        return Some("ALTER TABLE users DROP CONSTRAINT users_email_key");
    }
    if fault!("index-lost") {
        return Some("DROP INDEX orders_by_user");
    }
    if fault!("defaults-lost") {
        return Some("ALTER TABLE orders ALTER status DROP DEFAULT");
    }
    if fault!("another-order") {
        // An update writes a new version of the row, after the other rows.
        return Some("UPDATE users SET name = name WHERE id = (SELECT min(id) FROM users)");
    }
    if fault!("ids-with-a-gap") {
        return Some(
            "SELECT setval(pg_get_serial_sequence('users', 'id'), 1000), setval(pg_get_serial_sequence('orders', 'id'), 1000)",
        );
    }
    None
}

/// Opens a new pool: the pool of a finished test has connections of a runtime that is gone.
fn reopened(db: Arc<Db>) -> Shop {
    let pool = PgPool::connect_lazy(db.url()).expect("the harness's URLs are right");
    Shop { db, pool }
}

async fn empty(db: &Db, path: &Path) -> Result<(), Error> {
    snapshot::dump(db, path).await?;
    let text = std::fs::read_to_string(path).map_err(unwritten)?;
    let rows = text.find("\n-- Data for Name: ").unwrap_or(text.len());
    let rest = text.find("\n-- Name: users users_email_key").unwrap_or(text.len());
    std::fs::write(path, text[..rows].to_owned() + &text[rest..]).map_err(unwritten)
}

fn unwritten(cause: std::io::Error) -> Error {
    Error::new("the snapshot was not written").cause(cause)
}
