//! P3 on each version of PostgreSQL that the manual names. `cargo course dev versions` runs what
//! concerns a server against each of them.

use crate::given::Given;
use crate::lab::version;

/// The versions that the manual names.
const SUPPORTED: std::ops::RangeInclusive<i32> = 13..=18;

fn expect(major: i32) {
    match version::wanted() {
        Some(wanted) => assert_eq!(major, wanted),
        None => assert!(SUPPORTED.contains(&major), "{major}"),
    }
}

#[tokio::test]
async fn the_server_of_the_run_has_the_version_that_is_asked_for() {
    let db = testenv::fresh_db().await;

    let major = "SELECT current_setting('server_version_num')::int / 10000";
    let major: i32 = sqlx::query_scalar(major).fetch_one(db.pool()).await.unwrap();

    expect(major);
}

#[tokio::test]
async fn a_given_server_has_the_version_that_is_asked_for() {
    let given = Given::start();

    let major = given.version().await;

    expect(major);
    given.end();
}
