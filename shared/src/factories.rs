//! Rows that are valid by default and never collide.
//!
//! A test names the values that matter to it. This module makes all other values. Unique values
//! contain a counter and the number of the process, so that two rows never collide in a database
//! that tests share. Values that are free to vary come from the test's stream of [`seed`]: its
//! n-th row has the same values in every run with the same seed.
//!
//! [`seed`]: crate::seed
//!
//! ```no_run
//! # async fn test() {
//! use testenv::factories::{NewOrder, NewUser, Order, SEED_VAR, User, order, user};
//!
//! let db = testenv::fresh_db().await;
//! let unwritten: NewUser<'_> = user(&db).name("Ada").email("ada@example.org");
//! let ada: User = unwritten.insert().await;
//! let unwritten: NewOrder<'_> = order(&db, &ada).total_cents(12_50).status("paid");
//! let paid: Order = unwritten.insert().await;
//! assert_eq!((paid.user_id, paid.total_cents), (ada.id, 12_50));
//! println!("the same rows again: {SEED_VAR}=7 cargo test");
//! # }
//! ```
//!
//! Invariant: the schema of `migrations/` accepts every row without one explicit value.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::{Rng, RngExt};
use sqlx::FromRow;
use sqlx::postgres::PgPool;

use crate::{Error, Heading};

pub use crate::seed::SEED_VAR;

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct User {
    /// Set by the database.
    pub id: i64,
    /// Never empty.
    pub name: String,
    /// Unique.
    pub email: String,
}

/// A row of `orders`.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Order {
    /// Set by the database.
    pub id: i64,
    /// The user whose order it is.
    pub user_id: i64,
    /// In hundredths of the currency, 0 or more.
    pub total_cents: i64,
    /// `open`, `paid` or `cancelled`.
    pub status: String,
}

/// A user that is not yet inserted.
#[must_use = "nothing is written before `insert`"]
pub struct NewUser<'a> {
    db: &'a PgPool,
    name: String,
    email: String,
}

/// An order that is not yet inserted.
#[must_use = "nothing is written before `insert`"]
pub struct NewOrder<'a> {
    db: &'a PgPool,
    user_id: i64,
    total_cents: i64,
    status: String,
}

/// Begins a user; `insert` writes it.
///
/// ```no_run
/// # async fn test() {
/// use testenv::factories::{order, user};
///
/// let db = testenv::fresh_db().await;
/// let ada = user(&db).name("Ada").insert().await;
/// let order = order(&db, &ada).insert().await;
/// assert_eq!(order.user_id, ada.id);
/// # }
/// ```
pub fn user(db: &PgPool) -> NewUser<'_> {
    const NAMES: [&str; 8] = ["Ada", "Bela", "Chen", "Dora", "Emil", "Fatou", "Grace", "Hugo"];
    let count = next();
    let name = NAMES[free().random_range(0..NAMES.len())].to_owned();
    NewUser {
        db,
        email: format!("{}.{}.{count}@example.org", name.to_lowercase(), std::process::id()),
        name,
    }
}

/// Begins an order of `user`; `insert` writes it.
pub fn order<'a>(db: &'a PgPool, user: &User) -> NewOrder<'a> {
    let total_cents = free().random_range(1..=50_000);
    NewOrder { db, user_id: user.id, total_cents, status: "open".into() }
}

impl NewUser<'_> {
    /// Sets the name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the e-mail address.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = email.into();
        self
    }

    /// Inserts the user and returns the row.
    ///
    /// # Panics
    ///
    /// When the database refuses the row, because an explicit value breaks one of its rules.
    pub async fn insert(self) -> User {
        let row = sqlx::query_as(
            "INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id, name, email",
        );
        let row = row.bind(self.name).bind(self.email).fetch_one(self.db).await;
        row.unwrap_or_else(|error| {
            panic!("{}", Error::under(Heading::Row, "the user was not inserted").cause(error))
        })
    }
}

impl NewOrder<'_> {
    /// Sets the total, in hundredths of the currency.
    pub fn total_cents(mut self, total_cents: i64) -> Self {
        self.total_cents = total_cents;
        self
    }

    /// Sets the status: `open`, `paid` or `cancelled`.
    pub fn status(mut self, status: impl Into<String>) -> Self {
        self.status = status.into();
        self
    }

    /// Inserts the order and returns the row.
    ///
    /// # Panics
    ///
    /// As [`NewUser::insert`].
    pub async fn insert(self) -> Order {
        let row = sqlx::query_as(
            "INSERT INTO orders (user_id, total_cents, status) VALUES ($1, $2, $3) RETURNING id, user_id, total_cents, status",
        );
        let row = row
            .bind(self.user_id)
            .bind(self.total_cents)
            .bind(self.status)
            .fetch_one(self.db)
            .await;
        row.unwrap_or_else(|error| {
            panic!("{}", Error::under(Heading::Row, "the order was not inserted").cause(error))
        })
    }
}

fn next() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Numbers for a row's free choices. They do not shift the streams that the test draws itself.
fn free() -> impl Rng {
    crate::seed::of_this_thread("factories")
}
