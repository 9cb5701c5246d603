//! The finished suite: every test has a database of its own, so it may seed, break and migrate it.
#![cfg(feature = "integration")]

use std::time::Duration;

use sqlx::{Connection, PgPool};
use task08_seed_data::{MIGRATIONS, migrate, reader, seed};
use testenv::{Template, factories, wait};
use tokio::time::timeout;

/// A statement takes milliseconds; a machine that is busy with a build may take a second.
const LIMIT: Duration = Duration::from_secs(10);

/// What `testdata/seed.sql` promises, said a second time on purpose: a test that read the file would agree with whatever stands there.
const COUNTRIES: [(&str, &str, i64); 10] = [
    ("AT", "Austria", 690),
    ("BR", "Brazil", 2490),
    ("CH", "Switzerland", 1190),
    ("CI", "Côte d'Ivoire", 2190),
    ("DE", "Germany", 490),
    ("ES", "Spain", 890),
    ("FR", "France", 790),
    ("JP", "Japan", 2290),
    ("TR", "Türkiye", 1390),
    ("US", "United States", 1990),
];

#[tokio::test]
async fn an_empty_table_gets_the_ten_countries_to_the_letter() {
    let db = testenv::fresh_db().await;

    let changed = seed(&db).await.unwrap();

    assert_eq!(changed, 10);
    assert_eq!(countries(&db).await, seeded());
}

#[tokio::test]
async fn a_second_seeding_changes_nothing_and_says_so() {
    let db = testenv::fresh_db().await;
    seed(&db).await.unwrap();
    let before = changes(&db).await;

    let answer = seed(&db).await;

    assert!(matches!(answer, Ok(0)), "{answer:?}");
    assert_eq!(changes(&db).await, before);
}

#[tokio::test]
async fn what_is_missing_or_differs_is_put_right() {
    let db = testenv::fresh_db().await;
    run(
        &db,
        "INSERT INTO countries (code, name, shipping_cents) VALUES ('TR', 'Turkey', 1390), ('US', 'United States', 1)",
    )
    .await;

    let changed = seed(&db).await.unwrap();

    assert_eq!(countries(&db).await, seeded());
    assert_eq!(changed, 10);
}

#[tokio::test]
async fn a_country_that_the_file_does_not_name_stays() {
    let db = testenv::fresh_db().await;
    run(&db, "INSERT INTO countries (code, name, shipping_cents) VALUES ('ZZ', 'Elsewhere', 9990)")
        .await;

    seed(&db).await.unwrap();

    let mut all = seeded();
    all.push(("ZZ".into(), "Elsewhere".into(), 9990));
    assert_eq!(countries(&db).await, all);
}

#[tokio::test]
async fn who_seeds_while_another_seeds_succeeds_too() {
    let db = testenv::fresh_db().await;
    let mut first = db.begin().await.unwrap();
    sqlx::query("INSERT INTO countries (code, name, shipping_cents) VALUES ('AT', 'Austria', 690)")
        .execute(&mut *first)
        .await
        .unwrap();

    let pool = db.pool().clone();
    let second = tokio::spawn(async move { seed(&pool).await });
    wait::until(LIMIT, "a seeding that waits for the first", || one_waits(&db)).await.unwrap();
    first.commit().await.unwrap();
    let answer = timeout(LIMIT, second).await.expect("seed ends").unwrap();

    assert!(matches!(answer, Ok(9)), "{answer:?}");
    assert_eq!(countries(&db).await, seeded());
}

#[tokio::test]
async fn a_reader_is_refused_every_kind_of_write() {
    let db = testenv::fresh_db().await;
    let user = factories::user(&db).insert().await;
    let order = factories::order(&db, &user).insert().await;
    let reader = reader(&db, db.superuser()).await.unwrap();

    for write in [
        "INSERT INTO users (name, email) VALUES ('Eve', 'eve@example.org')",
        "UPDATE orders SET status = 'paid'",
        "DELETE FROM orders",
        "TRUNCATE orders",
        "DROP TABLE orders",
        "CREATE TABLE mine (id INT)",
    ] {
        let answer = sqlx::query(write).execute(&reader).await;
        // Which refusal it is, is the server's business: the role's rights or a transaction that only reads.
        assert!(matches!(answer, Err(sqlx::Error::Database(_))), "{write}: {answer:?}");
    }
    let left: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, status FROM orders").fetch_all(db.pool()).await.unwrap();
    assert_eq!(left, [(order.id, order.status)]);
}

#[tokio::test]
async fn no_connection_and_no_transaction_of_a_reader_writes() {
    let db = testenv::fresh_db().await;
    let user = factories::user(&db).insert().await;
    let reader = reader(&db, db.superuser()).await.unwrap();

    let (mut one, mut other) = (reader.acquire().await.unwrap(), reader.acquire().await.unwrap());
    for connection in [&mut one, &mut other] {
        let mut transaction = connection.begin_with("BEGIN READ WRITE").await.unwrap();
        let answer = sqlx::query("UPDATE users SET name = 'Eve'").execute(&mut *transaction).await;
        assert!(matches!(answer, Err(sqlx::Error::Database(_))), "{answer:?}");
        transaction.rollback().await.unwrap();
    }

    let name: String =
        sqlx::query_scalar("SELECT name FROM users").fetch_one(db.pool()).await.unwrap();
    assert_eq!(name, user.name);
}

#[tokio::test]
async fn a_reader_reads_every_table_also_a_later_one() {
    let db = testenv::fresh_db().await;
    let user = factories::user(&db).insert().await;
    factories::order(&db, &user).insert().await;
    seed(&db).await.unwrap();
    let reader = reader(&db, db.superuser()).await.unwrap();
    run(&db, "CREATE TABLE later (id INT); INSERT INTO later VALUES (1), (2)").await;

    let counts = sqlx::query_as(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM orders), \
         (SELECT count(*) FROM countries), (SELECT count(*) FROM later)",
    );
    let counts: Result<(i64, i64, i64, i64), _> = counts.fetch_one(&reader).await;

    assert_eq!(counts.map_err(|error| error.to_string()), Ok((1, 1, 10, 2)));
}

#[tokio::test]
async fn two_databases_of_one_server_have_readers_and_asking_again_is_no_error() {
    let (one, other) = (testenv::fresh_db().await, testenv::fresh_db().await);

    for db in [&one, &other, &one] {
        let answer = reader(db, db.superuser()).await;

        assert!(answer.is_ok(), "{answer:?}");
        assert!(run_on(&answer.unwrap(), "SELECT FROM users").await.is_ok());
    }
}

#[tokio::test]
async fn an_older_database_arrives_at_the_newest_version_with_all_that_is_in_it() {
    let db = Template::sql("SELECT 'empty'").fresh().await;
    MIGRATIONS.run_to(2, db.pool()).await.unwrap();
    let user = factories::user(&db).insert().await;

    for _ in ["from version 2", "with nothing to do"] {
        migrate(&db).await.unwrap();
    }

    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    let version: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(db.pool())
        .await
        .unwrap();
    assert_eq!(version, newest);
    let users: Vec<String> =
        sqlx::query_scalar("SELECT email FROM users").fetch_all(db.pool()).await.unwrap();
    assert_eq!(users, [user.email]);
}

fn seeded() -> Vec<(String, String, i64)> {
    COUNTRIES.map(|(code, name, cents)| (code.to_owned(), name.to_owned(), cents)).to_vec()
}

async fn countries(db: &PgPool) -> Vec<(String, String, i64)> {
    // In an order of ours: a table has none.
    sqlx::query_as("SELECT code, name, shipping_cents FROM countries ORDER BY code")
        .fetch_all(db)
        .await
        .unwrap()
}

/// When each row was last changed.
async fn changes(db: &PgPool) -> Vec<(String, String)> {
    sqlx::query_as("SELECT code, updated_at::text FROM countries ORDER BY code")
        .fetch_all(db)
        .await
        .unwrap()
}

async fn run(db: &PgPool, sql: &'static str) {
    run_on(db, sql).await.unwrap();
}

async fn run_on(db: &PgPool, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(db).await.map(drop)
}

/// Ok when one connection of this database waits for another one's transaction.
async fn one_waits(db: &PgPool) -> Result<(), String> {
    let waiting: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_one(db)
    .await
    .map_err(|error| error.to_string())?;
    if waiting == 1 { Ok(()) } else { Err(format!("{waiting} connections wait for a lock")) }
}
