//! Another version of sqlx than the harness has.

use sqlx::PgPool;
use testenv::{Db, Template};

/// A database with the migrations that this project's sqlx applies, and a pool of it. The pool
/// lasts as long as the database.
async fn migrated() -> (PgPool, Db) {
    let template = Template::build("migrations", async |url: String| {
        let pool = PgPool::connect(&url).await?;
        sqlx::migrate!().run(&pool).await?;
        Ok(())
    });
    let db = template.depends_on("migrations").fresh().await;
    (PgPool::connect(db.url()).await.unwrap(), db)
}

#[tokio::test]
async fn a_room_is_booked_once_a_night() {
    let (pool, _db) = migrated().await;
    let book = "INSERT INTO bookings VALUES ('attic', '2030-01-01')";

    let first = sqlx::query(book).execute(&pool).await;
    let second = sqlx::query(book).execute(&pool).await;

    assert!(first.is_ok());
    assert!(second.unwrap_err().into_database_error().unwrap().is_unique_violation());
}

/// A program that migrates when it starts finds nothing to do.
#[tokio::test]
async fn the_program_under_test_may_migrate_by_itself() {
    let (pool, _db) = migrated().await;

    sqlx::migrate!().run(&pool).await.unwrap();
}
