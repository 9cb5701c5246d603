//! The wrong programs, and the other right ones, that `COURSE_FAULT` switches on.
//!
//! Think about mistakes of your own before you read on. A function returns its argument unchanged,
//! or nothing, unless its fault is on.

#![expect(clippy::disallowed_methods, reason = "the faults are what no seed repeats")]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::AtomicU64;

use sqlx::Error;
use testenv::fault;

use crate::{Factories, Order};

/// The number of addresses to choose from: enough for one try of the factory, too few for a suite.
const FEW: u64 = 100;
/// The number of lines in the list of names. The last line is empty.
const NAMES_WITH_THE_LAST_LINE: u64 = 16;

/// Returns the counter of rows: the factory's own, or a global counter.
pub(crate) fn counter(own: &AtomicU64) -> &AtomicU64 {
    static OF_ALL: AtomicU64 = AtomicU64::new(0);
    if fault!("global-counter") { &OF_ALL } else { own }
}

/// Returns the name of a user without an explicit name.
pub(crate) fn name(by_chance: &'static str, row: u64) -> &'static str {
    if fault!("name-sometimes-empty")
        && row % NAMES_WITH_THE_LAST_LINE == NAMES_WITH_THE_LAST_LINE - 1
    {
        return "";
    }
    if fault!("one-name-for-all") { "Ada" } else { by_chance }
}

/// Returns the name that survives when the address is set.
pub(crate) fn kept(name: Option<String>) -> Option<String> {
    if fault!("setter-begins-anew") { None } else { name }
}

/// Returns another address than usual, for a user without an explicit address.
pub(crate) fn address(make: &Factories, row: u64) -> Option<String> {
    if fault!("one-address-for-all") {
        return Some("user@example.org".into());
    }
    if fault!("address-by-chance") {
        return Some(format!("user-{:x}-{}@example.org", make.seed, make.mixed(row) % FEW));
    }
    if fault!("seed-not-in-the-address") {
        return Some(format!("user-{row}@example.org"));
    }
    if fault!("address-in-hex") {
        return Some(format!("{row:x}.{:016x}@{:x}.example", make.mixed(row), make.seed));
    }
    None
}

/// Returns the address that was set.
pub(crate) fn explicit_address(email: String, row: u64) -> String {
    if fault!("address-decorated") {
        return email.replacen('@', &format!("+{row}@"), 1);
    }
    email
}

/// Returns the id of the order's owner, if there is an owner.
pub(crate) async fn owner(make: &Factories, given: Option<i64>) -> Result<Option<i64>, Error> {
    if given.is_none() && fault!("first-user-assumed") {
        return Ok(Some(1));
    }
    if given.is_some() && fault!("newest-user") {
        return sqlx::query_scalar("SELECT max(id) FROM users").fetch_one(&make.db).await;
    }
    if given.is_some() && fault!("user-always-made") {
        let _unused = make.user().insert().await?;
    }
    Ok(given)
}

/// Returns the total that was set.
pub(crate) fn explicit_total(total_cents: Option<i64>) -> Option<i64> {
    if fault!("zero-is-unset") { total_cents.filter(|cents| *cents != 0) } else { total_cents }
}

/// Returns the total of an order without an explicit total.
pub(crate) fn total(by_seed: i64) -> i64 {
    if fault!("total-by-chance") {
        return (RandomState::new().build_hasher().finish() % 100_000).cast_signed();
    }
    by_seed
}

/// Returns the status of an order without an explicit status.
pub(crate) fn status(usual: &'static str) -> &'static str {
    if fault!("paid-by-default") { "paid" } else { usual }
}

/// Writes additional rows before an order.
pub(crate) async fn before_the_order(
    make: &Factories,
    user_id: i64,
    total_cents: i64,
    status: &str,
) -> Result<(), Error> {
    if fault!("inserts-twice") {
        sqlx::query("INSERT INTO orders (user_id, total_cents, status) VALUES ($1, $2, $3)")
            .bind(user_id)
            .bind(total_cents)
            .bind(status)
            .execute(&make.db)
            .await?;
    }
    Ok(())
}

/// Returns the row for the caller.
pub(crate) fn returned(order: Order) -> Order {
    if fault!("stale-status") { Order { status: "open".into(), ..order } } else { order }
}
