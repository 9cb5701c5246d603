//! Your tests. The README lists the requirements; `cargo course check task03` says which broken programs get past them.
#![cfg(feature = "integration")]

use task03_postgres::{NewUser, UserRepo};

#[tokio::test]
async fn a_user_can_be_inserted() {
    let db = testenv::fresh_db().await;
    let repo = UserRepo::new(db.pool().clone());

    let answer =
        repo.insert(&NewUser { name: "Ada".into(), email: "ada@example.org".into() }).await;

    assert!(answer.is_ok(), "{answer:?}");
}

// This test is green, and it would be green if the row were rubbish, or not there: it believes the subject's own word.
// Begin with the table: `sqlx::query_as("SELECT id, name, email FROM users").fetch_all(db.pool()).await`.
//
// Still to be tested:
//   R1  insert returns the id of the new row; the id is never 0
//   R2  the row holds the name and the address exactly as they were given, in their columns
//   R3  a taken address is EmailTaken, which carries the address; also for two inserts at the same moment
//   R4  a refused insert leaves the table as it was
//   R5  any other refusal of the database is UserError::Database
//   R6  find returns the user with the given id, or None
