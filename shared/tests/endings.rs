//! Tests that fail on request (`ENDINGS=fail`), in every way that a runner knows. Otherwise they
//! pass. `it/p6_failed_tests.rs` runs them.

use proptest::prelude::*;
use sqlx::PgPool;
use testenv::{Db, fresh_db};

fn told_to_fail() -> bool {
    std::env::var("ENDINGS").is_ok_and(|told| told == "fail")
}

/// A database that says which test had it.
async fn database(test: &str) -> Db {
    let db = fresh_db().await;
    sqlx::query("INSERT INTO users (name, email) VALUES ($1, 'x@example.org')")
        .bind(test)
        .execute(db.pool())
        .await
        .unwrap();
    db
}

async fn users(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn passes() {
    assert_eq!(users(database("passes").await.pool()).await, 1);
}

#[tokio::test]
async fn panics() {
    let db = database("panics").await;

    assert_eq!(users(&db).await == 1, !told_to_fail());
}

#[tokio::test]
async fn uses_what_it_dropped() {
    let db = database("uses_what_it_dropped").await;
    let pool = db.pool().clone();

    let _held = (!told_to_fail()).then_some(db); // otherwise it is dropped here

    assert_eq!(users(&pool).await, 1);
}

#[tokio::test]
async fn returns_err() -> Result<(), Box<dyn std::error::Error>> {
    let db = database("returns_err").await;
    let table = if told_to_fail() { "no_such_table" } else { "users" };

    let count = format!("SELECT count(*) FROM {table}");
    let users: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(db.pool()).await?;

    assert_eq!(users, 1);
    Ok(())
}

#[tokio::test]
async fn returns_ok() -> Result<(), sqlx::Error> {
    let db = database("returns_ok").await;

    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db.pool()).await?;

    assert_eq!(users, 1);
    Ok(())
}

#[tokio::test]
#[should_panic(expected = "the user is there already")]
async fn panics_as_it_should() {
    let db = database("panics_as_it_should").await;

    assert_eq!(users(&db).await, 0, "the user is there already");
}

#[tokio::test]
#[should_panic]
async fn should_panic() {
    let db = database("should_panic").await;

    assert_eq!(users(&db).await == 1, told_to_fail());
}

#[test]
fn catches_a_panic() {
    let inner = std::thread::spawn(|| {
        runtime().block_on(async {
            let _db = database("catches_a_panic").await;
            panic!("for the caller");
        });
    });

    assert_eq!(inner.join().unwrap_err().downcast_ref(), Some(&"for the caller"));
}

#[test]
fn shrinks() {
    let runtime = runtime();
    let config = testenv::seed::proptest(ProptestConfig::with_cases(8));

    proptest!(config, |(length in 1000_i64..1_000_000)| {
        runtime.block_on(async {
            let db = database(&format!("shrinks {length}")).await;
            let found = if told_to_fail() { length } else { users(&db).await };
            assert!(found < 100);
        });
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
