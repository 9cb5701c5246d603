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
//   R1  the id is that of the row
//   R2  the row holds what was given, to the letter, in its columns
//   R3  an address that is taken is EmailTaken, and the refusal names it
//   R4  a refused insert leaves the table as it was
//   R5  any other refusal of the database is not EmailTaken
//   R6  find finds the user of the id, and nobody is None
