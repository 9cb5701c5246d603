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
//   R1  after a rollback of the caller's transaction, a function's work never happened
//   R2  nobody else sees uncommitted changes: two transactions, open at the same time
//   R3  register adds the user and the order, or neither; after a failure, the transaction can go on
//   R4  a function reads what the caller's transaction sees, including the transaction's own uncommitted rows
//   R5  transactions that touch different users and different orders do not wait for each other
//   R6  an ended transaction leaves nothing on the connection: no setting and no lock
