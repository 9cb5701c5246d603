//! Ten tests with `#[sqlx::test]`, on the server of `DATABASE_URL`.

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

const BOOK: &str = "INSERT INTO bookings VALUES ('attic', '2030-01-01')";

async fn bookings(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM bookings").fetch_one(pool).await
}

#[sqlx::test]
async fn a_room_is_booked_once_a_night(pool: PgPool) -> sqlx::Result<()> {
    sqlx::query(BOOK).execute(&pool).await?;

    let second = sqlx::query(BOOK).execute(&pool).await.unwrap_err();

    assert!(second.into_database_error().unwrap().is_unique_violation());
    Ok(())
}

#[sqlx::test]
async fn a_room_that_is_not_there_is_not_booked(pool: PgPool) {
    let book = "INSERT INTO bookings VALUES ('hall', '2030-01-01')";

    let refused = sqlx::query(book).execute(&pool).await.unwrap_err();

    assert!(refused.into_database_error().unwrap().is_foreign_key_violation());
}

#[sqlx::test]
async fn two_rooms_are_booked_in_one_night(pool: PgPool) -> sqlx::Result<()> {
    sqlx::query(BOOK).execute(&pool).await?;
    sqlx::query("INSERT INTO bookings VALUES ('cellar', '2030-01-01')").execute(&pool).await?;

    assert_eq!(bookings(&pool).await?, 2);
    Ok(())
}

#[sqlx::test]
async fn nothing_is_booked_at_first(pool: PgPool) -> sqlx::Result<()> {
    assert_eq!(bookings(&pool).await?, 0);
    Ok(())
}

#[sqlx::test]
async fn a_booking_is_cancelled(pool: PgPool) -> sqlx::Result<()> {
    sqlx::query(BOOK).execute(&pool).await?;

    sqlx::query("DELETE FROM bookings").execute(&pool).await?;

    assert_eq!(bookings(&pool).await?, 0);
    Ok(())
}

#[sqlx::test]
async fn a_transaction_that_is_rolled_back_books_nothing(pool: PgPool) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    sqlx::query(BOOK).execute(&mut *tx).await?;
    tx.rollback().await?;

    assert_eq!(bookings(&pool).await?, 0);
    Ok(())
}

#[sqlx::test(fixtures("booked"))]
async fn a_fixture_is_there(pool: PgPool) -> sqlx::Result<()> {
    assert_eq!(bookings(&pool).await?, 1);
    Ok(())
}

#[sqlx::test(fixtures("booked", "more"))]
async fn fixtures_come_in_their_order(pool: PgPool) -> sqlx::Result<()> {
    assert_eq!(bookings(&pool).await?, 2);
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn without_migrations_there_is_no_table(pool: PgPool) {
    assert!(bookings(&pool).await.is_err());
}

#[sqlx::test(migrations = "./migrations")]
async fn a_connection_is_given_too(mut connection: PoolConnection<Postgres>) -> sqlx::Result<()> {
    let rooms: i64 =
        sqlx::query_scalar("SELECT count(*) FROM rooms").fetch_one(&mut *connection).await?;

    assert_eq!(rooms, 2);
    Ok(())
}
