//! Your tests. The README lists the requirements; `cargo course check task04` says which broken programs get past them.
#![cfg(feature = "integration")]

use task04_transactions::add_user;

#[tokio::test]
async fn a_user_can_be_added_in_a_transaction() {
    let mut tx = testenv::begin().await;

    let answer = add_user(&mut *tx, "Ada", "ada@first.example").await;

    assert!(answer.is_ok(), "{answer:?}");
}

// `tx` is dropped here and rolled back, so that this test can be run as often as you like, beside any other.
// But nobody has looked yet whether that is true.
//
// Still to be tested:
//   R1  what a function does is gone when the caller rolls back
//   R2  what is not committed, nobody else sees: two transactions, open at the same time
//   R3  register does both or nothing, and the caller's transaction goes on
//   R4  what is read is read in the caller's transaction
//   R5  transactions that touch different rows do not wait for each other
//   R6  nothing of a transaction stays on its connection
