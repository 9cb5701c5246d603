#![doc = "[before]: ../task10_ci_workflow/index.html\n[next]: ../task12_seeds/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod faults;
mod order;
mod user;

pub use order::{NewOrder, Order};
pub use user::{NewUser, User};

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::postgres::PgPool;

/// Makes rows for one test, in its database, from its seed.
///
/// ```no_run
/// # use task11_factories::Factories;
/// # async fn a_paid_order(db: &sqlx::PgPool) -> Result<(), sqlx::Error> {
/// let make = Factories::new(db, 7);
/// let ada = make.user().name("Ada").insert().await?;
/// let order = make.order().user(&ada).status("paid").insert().await?;
///
/// assert_eq!((order.user_id, order.status.as_str()), (ada.id, "paid"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Factories {
    db: PgPool,
    seed: u64,
    made: AtomicU64,
}

impl Factories {
    /// Returns factories that write to this database.
    ///
    /// The same seed and the same order of calls make the same values. Two `Factories` in one
    /// database need two seeds.
    pub fn new(db: &PgPool, seed: u64) -> Factories {
        Factories { db: db.clone(), seed, made: AtomicU64::new(0) }
    }

    /// Begins a user. Only [`NewUser::insert`] writes the row.
    pub fn user(&self) -> NewUser<'_> {
        NewUser::new(self, self.next())
    }

    /// Begins an order. Only [`NewOrder::insert`] writes the row.
    pub fn order(&self) -> NewOrder<'_> {
        NewOrder::new(self, self.next())
    }

    /// Returns the number of the next row, which makes the row's values unique.
    fn next(&self) -> u64 {
        faults::counter(&self.made).fetch_add(1, Ordering::Relaxed)
    }

    /// Returns a number that looks random but depends only on the seed and the row (`SplitMix64`).
    fn mixed(&self, row: u64) -> u64 {
        let mut mixed = self.seed.wrapping_add((row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
