//! Your tests. The README lists the requirements; `cargo course check task08` says which broken programs get past them.
#![cfg(feature = "integration")]

use task08_seed_data::seed;

#[tokio::test]
async fn an_empty_database_can_be_seeded() {
    let db = testenv::fresh_db().await;

    let answer = seed(&db).await;

    assert!(answer.is_ok(), "{answer:?}");
}

// Nobody has looked into the table yet:
// `sqlx::query_as::<_, (String, String, i64)>("SELECT code, name, shipping_cents FROM countries ORDER BY code").fetch_all(db.pool()).await`.
//
// Still to be tested:
//   R1  the table holds the ten countries of the file, exactly as they are in the file
//   R2  seed returns how many rows it added or changed; a second seeding changes nothing and returns 0
//   R3  seed corrects every row that is missing or differs from the file, in every column
//   R4  rows that the file does not name stay as they were
//   R5  two programs that seed at the same moment both succeed
//   R6  the server refuses every write through a reader: any kind, any connection, any kind of transaction
//   R7  a reader can read every table, including a table that is created later
//   R8  reader can be called again, and for many databases of one server
//   R9  migrate brings any older version to the newest and keeps the contents; the newest stays unchanged
