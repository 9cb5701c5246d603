//! Your tests. The README lists the requirements; `cargo course check task20` says which broken programs get past them.
#![cfg(feature = "integration")]

use task20_snapshot::{SNAPSHOT, restore};

#[tokio::test]
async fn a_restored_shop_has_users() {
    let shop = restore(SNAPSHOT).await;

    let users: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&*shop).await.unwrap();

    assert!(users > 0);
}

// More than none is true of half a snapshot too.
//
// Still to be tested:
//   R1  the committed snapshot holds the 30 users and the 70 orders of the generator, to the letter
//   R2  what is taken of a database is what is restored, in every row and value
//   R3  the next id comes after the last one, in both tables
//   R4  constraints, indexes and defaults are those of the original
//   R5  a restored shop is private: from one beside it, and from one before it
//   R6  the generator makes the same rows for the same seed
