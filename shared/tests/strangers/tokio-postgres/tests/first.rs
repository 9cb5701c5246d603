//! An async client that is not sqlx.

use testenv::{Db, Template};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

const BOOK: &str = "INSERT INTO bookings VALUES ('attic', '2030-01-01')";

async fn connected(db: &Db) -> Client {
    let (client, connection) = tokio_postgres::connect(db.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn a_room_is_booked_once_a_night() {
    let db = Template::folder("migrations").fresh().await;
    let client = connected(&db).await;

    client.execute(BOOK, &[]).await.unwrap();
    let second = client.execute(BOOK, &[]).await.unwrap_err();

    assert_eq!(second.code(), Some(&SqlState::UNIQUE_VIOLATION));
}

#[tokio::test]
async fn the_bookings_of_another_test_are_not_seen() {
    let db = Template::folder("migrations").fresh().await;

    let count = connected(&db).await.query_one("SELECT count(*) FROM bookings", &[]).await.unwrap();

    assert_eq!(count.get::<_, i64>(0), 0);
}
