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
//   R1  what is left out is filled in so that the database takes it, each time
//   R2  no two collide: many of one seed, some of two seeds in one database
//   R3  what is set is what the row says
//   R4  one insert, one row, and that row is returned
//   R5  an order belongs to the user that it is given; without one it makes one, and only then
//   R6  the same seed makes the same values, whatever ran before
