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
    use rdkafka::consumer::{Consumer, StreamConsumer};
    use rdkafka::producer::{FutureProducer, FutureRecord};
    use rdkafka::{ClientConfig, Message};
    let limit = std::time::Duration::from_secs(10); // a group that is new waits three seconds for more members
    let topic = testenv::fresh_topic().await;
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", topic.brokers()).set("auto.offset.reset", "earliest");
    client.set("group.id", topic.name()); // the broker is shared, the topic is not: a group by its name is nobody else's

    let producer: FutureProducer = client.create().unwrap();
    producer.send(FutureRecord::<(), _>::to(topic.name()).payload("booked"), limit).await.unwrap();
    let consumer: StreamConsumer = client.create().unwrap();
    consumer.subscribe(&[topic.name()]).unwrap();
    let message = tokio::time::timeout(limit, consumer.recv()).await.expect("a message").unwrap();

    assert_eq!(message.payload(), Some(&b"booked"[..]));
}
