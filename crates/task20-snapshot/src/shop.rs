//! A shop with a past. A generator makes it once, a file keeps it, and every test restores it.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use sqlx::postgres::PgPool;
use testenv::{Db, Error, Template, snapshot};

use crate::faults;

/// The committed snapshot: the rows that [`fill`] writes for [`SEED`].
///
/// `cargo run -p task20-snapshot --features integration --example take` makes the file again.
pub const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/snapshot.sql");

/// The seed of [`SNAPSHOT`].
pub const SEED: u64 = 20;

const USERS: u64 = 30;
const ORDERS: u64 = 70;
const NAMES: [&str; 8] =
    ["Ada", "Björn", "Chloë", "Dmytro", "Eoin O'Dea", "Fatou", "Günther", "Željka"];
const STATUSES: [&str; 3] = ["open", "paid", "cancelled"];

/// 1 January 2026. Times in a snapshot must not depend on the day of the snapshot.
const BEGINNING: i64 = 1_767_225_600;
const DAY: u64 = 86_400;

/// A private database with the content of a snapshot. Dropping it removes the database.
#[must_use = "a shop that is dropped at once is closed at once"]
pub struct Shop {
    pub(crate) db: Arc<Db>,
    pub(crate) pool: PgPool,
}

/// Writes a database to a file and replaces an existing file. Writes committed rows only.
///
/// # Errors
///
/// There is no `pg_dump`, or the file cannot be written.
pub async fn take(db: &Db, path: impl AsRef<Path>) -> Result<(), Error> {
    if let Some(answer) = faults::take(db, path.as_ref()).await {
        return answer;
    }
    snapshot::dump(db, path).await
}

/// Returns a private database with everything that is in the snapshot.
///
/// ```no_run
/// # async fn test() {
/// use task20_snapshot::{SNAPSHOT, restore};
///
/// let shop = restore(SNAPSHOT).await;
/// let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&*shop).await.unwrap();
/// assert_eq!(orders, 70);
/// # }
/// ```
///
/// # Panics
///
/// If the file is no snapshot, or no server can be reached or started.
pub async fn restore(path: impl AsRef<Path>) -> Shop {
    if let Some(shop) = faults::restore(path.as_ref()).await {
        return shop;
    }
    let db = Template::snapshot(path).fresh().await;
    let pool = db.pool().clone();
    Shop { db: Arc::new(db), pool }
}

/// Writes 30 users and their 70 orders. The same seed gives the same rows, at any time and place.
///
/// # Errors
///
/// Any error of the database. Then nothing was written.
pub async fn fill(db: &PgPool, seed: u64) -> Result<(), sqlx::Error> {
    let mut state = faults::seed(seed);
    let mut below = |limit: u64| next(&mut state) % limit;
    let mut all = db.begin().await?;
    let mut users = Vec::new();
    for number in 0..USERS {
        let name = NAMES[below(NAMES.len() as u64) as usize];
        let user: i64 = sqlx::query_scalar(
            "INSERT INTO users (name, email, created_at) VALUES ($1, $2, to_timestamp($3)) RETURNING id",
        )
        .bind(name)
        .bind(format!("user{number}@shop.example"))
        .bind(BEGINNING + below(100 * DAY).cast_signed())
        .fetch_one(&mut *all)
        .await?;
        users.push(user);
    }
    for _ in 0..ORDERS {
        sqlx::query(
            "INSERT INTO orders (user_id, total_cents, status, placed_at) VALUES ($1, $2, $3, to_timestamp($4))",
        )
        .bind(users[below(USERS) as usize])
        .bind(below(50_000).cast_signed())
        .bind(STATUSES[below(STATUSES.len() as u64) as usize])
        .bind(BEGINNING + (100 * DAY + below(100 * DAY)).cast_signed())
        .execute(&mut *all)
        .await?;
    }
    all.commit().await
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
///
/// A crate for random numbers does not promise the same numbers in its next version.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Shop {
    /// The database, for [`take`].
    pub fn db(&self) -> &Db {
        &self.db
    }
}

impl Deref for Shop {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        faults::closed(&self.db);
    }
}
