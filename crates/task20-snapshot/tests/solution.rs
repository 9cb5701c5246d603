//! The finished suite: a restored shop is compared with what it was made from.
#![cfg(feature = "integration")]

use std::path::PathBuf;

use sqlx::PgPool;
use task20_snapshot::{SEED, SNAPSHOT, fill, restore, take};
use testenv::{Db, factories};

#[tokio::test]
async fn the_committed_snapshot_holds_what_the_generator_makes() {
    let made = testenv::fresh_db().await;
    fill(&made, SEED).await.unwrap();

    let shop = restore(SNAPSHOT).await;

    assert_eq!((users(&shop).await.len(), orders(&shop).await.len()), (30, 70));
    assert_eq!(users(&shop).await, users(&made).await);
    assert_eq!(orders(&shop).await, orders(&made).await);
}

#[tokio::test]
async fn what_is_taken_is_what_is_restored() {
    let file = File::new("taken");
    let original = odd_shop().await;

    take(&original, &file.path).await.unwrap();
    let shop = restore(&file.path).await;

    assert_eq!(users(&shop).await, users(&original).await);
    assert_eq!(orders(&shop).await, orders(&original).await);
}

#[tokio::test]
async fn a_second_snapshot_takes_the_place_of_the_first() {
    let file = File::new("twice");
    let original = odd_shop().await;
    take(&original, &file.path).await.unwrap();
    factories::user(&original).name("late").insert().await;

    take(&original, &file.path).await.unwrap();
    let shop = restore(&file.path).await;

    assert_eq!(users(&shop).await, users(&original).await);
}

#[tokio::test]
async fn the_next_ids_come_after_the_last_ones() {
    let shop = restore(SNAPSHOT).await;
    let last: (i64, i64) =
        sqlx::query_as("SELECT (SELECT max(id) FROM users), (SELECT max(id) FROM orders)")
            .fetch_one(&*shop)
            .await
            .unwrap();

    let next: Result<(i64, i64), sqlx::Error> = sqlx::query_as(
        "WITH u AS (INSERT INTO users (name, email) VALUES ('new', 'new@shop.example') RETURNING id),
              o AS (INSERT INTO orders (user_id, total_cents) SELECT min(id), 1 FROM users RETURNING id)
         SELECT u.id, o.id FROM u, o",
    )
    .fetch_one(&*shop)
    .await;

    assert!(next.as_ref().is_ok_and(|next| next.0 > last.0 && next.1 > last.1), "{next:?}");
}

#[tokio::test]
async fn constraints_indexes_and_defaults_are_those_of_the_migrations() {
    let shop = restore(SNAPSHOT).await;
    let migrated = testenv::fresh_db().await;

    assert_eq!(
        structure(&shop).await,
        structure(&migrated).await,
        "after a new migration: cargo run -p task20-snapshot --features integration --example take"
    );
}

#[tokio::test]
async fn a_shop_sees_nothing_of_one_beside_it() {
    let (one, other) = (restore(SNAPSHOT).await, restore(SNAPSHOT).await);
    let before = users(&other).await;
    assert!(!before.is_empty(), "another test was here before");

    destroy(&one).await;

    assert_eq!(users(&other).await, before);
}

#[tokio::test]
async fn a_shop_sees_nothing_of_one_before_it() {
    let first = restore(SNAPSHOT).await;
    let before = users(&first).await;
    assert!(!before.is_empty(), "another test was here before");
    destroy(&first).await;
    drop(first);

    let next = restore(SNAPSHOT).await;

    assert_eq!(users(&next).await, before);
}

#[tokio::test]
async fn one_seed_makes_the_same_rows_twice() {
    let (one, other) = (testenv::fresh_db().await, testenv::fresh_db().await);

    fill(&one, 7).await.unwrap();
    fill(&other, 7).await.unwrap();

    assert_eq!(users(&one).await, users(&other).await);
    assert_eq!(orders(&one).await, orders(&other).await);
}

/// A database with what a dump has to quote, and an order at another time than its user's.
async fn odd_shop() -> Db {
    let db = testenv::fresh_db().await;
    for name in ["it's", "two\nlines; -- and no remark", r"back\slash", "NULL", "Žižek 猫", " "]
    {
        let user = factories::user(&db).name(name).insert().await;
        factories::order(&db, &user).status("paid").insert().await;
    }
    db
}

/// Every row with every column, in an order of ours.
async fn users(db: &PgPool) -> Vec<String> {
    sqlx::query_scalar("SELECT to_jsonb(users)::text FROM users ORDER BY id")
        .fetch_all(db)
        .await
        .unwrap()
}

async fn orders(db: &PgPool) -> Vec<String> {
    sqlx::query_scalar("SELECT to_jsonb(orders)::text FROM orders ORDER BY id")
        .fetch_all(db)
        .await
        .unwrap()
}

/// What the server knows of the tables besides their rows.
async fn structure(db: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT pg_get_constraintdef(oid) || ' on ' || conrelid::regclass FROM pg_constraint WHERE connamespace = 'public'::regnamespace
         UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
         UNION SELECT table_name || '.' || column_name || ' default ' || column_default FROM information_schema.columns
            WHERE table_schema = 'public' AND column_default IS NOT NULL
         ORDER BY 1",
    )
    .fetch_all(db)
    .await
    .unwrap()
}

async fn destroy(shop: &PgPool) {
    sqlx::raw_sql("DELETE FROM orders; DELETE FROM users").execute(shop).await.unwrap();
}

/// A file of this test's own, gone after it.
struct File {
    path: PathBuf,
}

impl File {
    fn new(name: &str) -> File {
        let name = format!("task20-{name}-{}.sql", std::process::id());
        File { path: std::env::temp_dir().join(name) }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}
