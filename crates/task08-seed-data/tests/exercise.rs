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
//   R1  the table holds the ten countries of the file, to the letter
//   R2  seed says what it added or changed; a second seeding changes nothing
//   R3  what is missing or differs is put right, in every column
//   R4  what the file does not name stays
//   R5  two seedings at once both succeed
//   R6  a reader's write is refused: every kind of write, on every connection, in every kind of transaction
//   R7  a reader reads every table, also one that is made later
//   R8  readers of many databases share a server
//   R9  migrate takes an older database to the newest version and keeps what is in it
