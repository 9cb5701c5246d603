//! The wrong turns, and the other right programs, that `COURSE_FAULT` switches on. Think first, look after.
//!
//! What a wrong program would have left out of its file is taken out of the copy here: whoever has the copy cannot tell the difference.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::PgPool;
use testenv::{Db, Error, Template, fault, snapshot};

use crate::Shop;

/// The one database of `one-for-all`; the databases that `kept-warm` hands out again.
static ONE: tokio::sync::OnceCell<Arc<Db>> = tokio::sync::OnceCell::const_new();
static WARM: Mutex<Vec<Arc<Db>>> = Mutex::new(Vec::new());

/// The answer of a program that takes a snapshot in another way.
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

/// The shop of a program that restores in another way.
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

/// What becomes of a database whose shop is closed.
pub(crate) fn closed(db: &Arc<Db>) {
    if fault!("kept-warm") {
        WARM.lock().unwrap_or_else(PoisonError::into_inner).push(db.clone());
    }
}

/// Where the generator begins.
pub(crate) fn seed(seed: u64) -> u64 {
    if fault!("seeded-by-luck") { RandomState::new().build_hasher().finish() } else { seed }
}

/// In what the copy differs from the file.
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
        // An update writes the row anew, behind the others.
        return Some("UPDATE users SET name = name WHERE id = (SELECT min(id) FROM users)");
    }
    if fault!("ids-with-a-gap") {
        return Some(
            "SELECT setval(pg_get_serial_sequence('users', 'id'), 1000), setval(pg_get_serial_sequence('orders', 'id'), 1000)",
        );
    }
    None
}

/// With a pool of its own: one whose test is over has connections of a runtime that is gone.
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
