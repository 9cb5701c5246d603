//! The tests of "A first test" in the manual of `shared`, word for word: `course/tests/manual.rs` compares them.

#[cfg(feature = "integration")]
#[tokio::test]
async fn a_room_is_booked_once_a_night() {
    static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!(); // the folder `migrations` beside this package's Cargo.toml
    let db = testenv::Template::migrations(&MIGRATIONS).fresh().await;
    let book = "INSERT INTO bookings VALUES ('attic', '2030-01-01')";

    let first = sqlx::query(book).execute(db.pool()).await;
    let second = sqlx::query(book).execute(db.pool()).await;

    assert!(first.is_ok());
    assert!(second.unwrap_err().into_database_error().unwrap().is_unique_violation());
}

#[cfg(feature = "integration")]
#[tokio::test]
async fn a_counter_begins_at_nothing() {
    use redis::AsyncCommands;
    let redis = testenv::fresh_redis().await; // stays in a variable: dropping it empties the database
    let mut connection = redis.connection().await;

    let counted: i64 = connection.incr("visits", 1).await.unwrap();

    assert_eq!(counted, 1);
}

#[tokio::test]
async fn a_message_makes_the_round_trip() {
    let topic = testenv::fresh_topic().await;

    topic.send("booked").await.unwrap(); // or a client of your own, on topic.brokers() and topic.name()
    let read = topic.read(1, std::time::Duration::from_secs(10)).await.unwrap();

    assert_eq!(read[0].text(), "booked");
}

#[tokio::test]
async fn a_file_is_read_as_it_was_written() {
    let bucket = testenv::fresh_bucket().await; // stays in a variable: dropping it removes the bucket
    let (s3, name) = (bucket.client(), bucket.name()); // the client is aws-sdk-s3's

    s3.put_object().bucket(name).key("plan").body(b"north".to_vec().into()).send().await.unwrap();
    let got = s3.get_object().bucket(name).key("plan").send().await.unwrap();

    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"north");
}
