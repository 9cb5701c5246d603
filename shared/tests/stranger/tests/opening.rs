//! The test that opens the manual of `shared`, word for word: `course/tests/manual.rs` compares them.
#![cfg(feature = "integration")]

#[tokio::test]
async fn nobody_is_there_yet() {
    let db = testenv::fresh_db().await; // migrated, and this test's own
    let count = sqlx::query_scalar("SELECT count(*) FROM users");

    let users: i64 = count.fetch_one(db.pool()).await.unwrap();

    assert_eq!(users, 0);
}
