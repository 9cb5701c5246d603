//! Your tests. The README lists the requirements; `cargo course check task11` says which broken programs get past them.
#![cfg(feature = "integration")]

use task11_factories::Factories;

#[tokio::test]
async fn a_user_can_be_made() {
    let db = testenv::fresh_db().await;
    let make = Factories::new(&db, 7);

    let answer = make.user().insert().await;

    assert!(answer.is_ok(), "{answer:?}");
}

// One user, nothing set, nobody looked: the worst factory can do that.
//
// Still to be tested:
//   R1  the factory fills in every value that is not set, and the database accepts the row, two hundred times
//   R2  no two rows collide: two hundred of one seed, or rows of two seeds in one database
//   R3  every value that is set is in the row, unchanged
//   R4  one insert of an order writes one order, of a user one user; insert returns the row as it is stored
//   R5  an order given a user belongs to that user; for an order given no user, insert makes the user
//   R6  the same seed and calls make the same values in an empty database, whatever ran before
