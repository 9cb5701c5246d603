//! P3 for PostgreSQL: a database is private, migrated, and given back without waiting (P9).

use std::time::{Duration, Instant};

use sqlx::SqlSafeStr;
use testenv::{Template, fresh_db};

#[tokio::test]
async fn a_fresh_database_is_migrated_and_empty() {
    let db = fresh_db().await;

    let users: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db.pool()).await.unwrap();

    assert_eq!(users, 0);
}

#[tokio::test]
async fn a_template_is_made_from_sql_or_by_a_function() {
    let sql = Template::sql("CREATE TABLE rooms (name TEXT); INSERT INTO rooms VALUES ('attic')");
    let built = Template::build("rooms 1", async |url: String| {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await?;
        sqlx::raw_sql("CREATE TABLE rooms AS SELECT 'cellar' AS name")
            .execute(&mut connection)
            .await?;
        Ok(())
    });

    let rooms = async |template: Template| -> Vec<String> {
        let db = template.fresh().await;
        sqlx::query_scalar("SELECT name FROM rooms").fetch_all(db.pool()).await.unwrap()
    };

    assert_eq!(
        (rooms(sql).await, rooms(built).await),
        (vec!["attic".into()], vec!["cellar".into()])
    );
}

#[tokio::test]
async fn the_factories_rows_are_valid_and_do_not_collide() {
    use testenv::factories;
    let db = fresh_db().await;

    for _ in 0..50 {
        let user = factories::user(&db).insert().await;
        factories::order(&db, &user).insert().await;
    }

    let orders: i64 = sqlx::query_scalar("SELECT count(DISTINCT user_id) FROM orders")
        .fetch_one(db.pool())
        .await
        .unwrap();
    assert_eq!(orders, 50);
}

#[tokio::test]
async fn what_is_done_in_a_transaction_is_rolled_back_at_its_end() {
    const INSERT: &str = "INSERT INTO users (name, email) VALUES ('Ada', 'shared@example.org')";
    let mut first = testenv::begin().await;
    sqlx::query(INSERT).execute(&mut *first).await.unwrap();

    drop(first);

    // The same address again: it would collide with a row that had been kept.
    let mut second = testenv::begin().await;
    sqlx::query(INSERT).execute(&mut *second).await.unwrap();
}

#[tokio::test]
async fn a_transaction_is_on_the_database_of_its_own_template() {
    let name = async |tx: &mut testenv::Tx| -> String {
        let name = sqlx::query_scalar("SELECT current_database()::text");
        name.fetch_one(&mut **tx).await.unwrap()
    };
    let rooms = Template::sql("CREATE TABLE rooms (name TEXT)");
    let (mut first, mut same) = (rooms.begin().await, rooms.begin().await);
    let mut other = testenv::begin().await;

    sqlx::query("INSERT INTO rooms VALUES ('attic')").execute(&mut *first).await.unwrap();
    let seen: i64 =
        sqlx::query_scalar("SELECT count(*) FROM rooms").fetch_one(&mut *same).await.unwrap();

    assert_eq!(seen, 0);
    assert_eq!(name(&mut first).await, name(&mut same).await);
    assert_ne!(name(&mut first).await, name(&mut other).await);
}

/// P9.
#[test]
fn dropping_a_database_needs_no_runtime_and_does_not_wait() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = runtime.block_on(async {
        let db = fresh_db().await;
        sqlx::query("SELECT 1").execute(db.pool()).await.unwrap();
        db
    });
    drop(runtime);
    let start = Instant::now();

    drop(db);

    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_database_that_is_given_back_is_dropped() {
    let reaper = fresh_db().await;
    let name = {
        let db = fresh_db().await;
        db.name().to_owned()
    };

    testenv::wait::until(Duration::from_secs(10), "the end of the database", async || {
        let there: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
                .bind(&name)
                .fetch_one(reaper.pool())
                .await
                .unwrap();
        if there { Err("it is there") } else { Ok(()) }
    })
    .await
    .unwrap();
}

/// What a template that cannot be built says.
async fn refusal(template: Template) -> String {
    let asked = tokio::task::LocalSet::new();
    let refused = asked.run_until(async move {
        tokio::task::spawn_local(async move { drop(template.fresh().await) }).await
    });
    let panic = refused.await.unwrap_err().into_panic();
    *panic.downcast::<String>().unwrap()
}

fn migrations(files: &[(i64, &'static str, &'static str)]) -> Template {
    let migrations = files.iter().map(|&(version, description, sql)| {
        let kind = sqlx::migrate::MigrationType::Simple;
        sqlx::migrate::Migration::new(version, description.into(), kind, sql.into_sql_str(), false)
    });
    let migrator = sqlx::migrate::Migrator::with_migrations(migrations.collect());
    Template::migrations(Box::leak(Box::new(migrator)))
}

#[tokio::test]
async fn a_migration_with_an_error_is_named_with_its_place_and_the_servers_words() {
    let said = refusal(migrations(&[(
        1,
        "rooms",
        "CREATE TABLE rooms (id INT);\nCREATE TABEL doors (id INT);",
    )]))
    .await;

    for words in [
        "migration 1 \"rooms\" failed",
        "cause: syntax error at or near \"TABEL\" (line 2, column 8)\n",
        "to fix: correct the file",
    ] {
        assert!(said.contains(words), "`{words}` in: {said}");
    }
}

#[tokio::test]
async fn two_migrations_of_one_version_and_none_at_all_are_refused() {
    let twice = refusal(migrations(&[(1, "a", "SELECT 1"), (1, "b", "SELECT 2")])).await;
    let none = refusal(migrations(&[])).await;

    assert!(twice.contains("two migrations have the version 1"), "{twice}");
    assert!(none.contains("to fix: write migrations/0001_"), "{none}");
}

#[tokio::test]
async fn a_database_can_be_asked_for_in_a_spawned_task() {
    let asked = tokio::spawn(async { fresh_db().await.name().to_owned() });
    let begun = tokio::spawn(async { drop(testenv::begin().await) });

    assert!(asked.await.unwrap().starts_with("test_"));
    begun.await.unwrap();
}
