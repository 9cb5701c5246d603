//! The finished suite: one body for both tiers, a topic of its own for every test, an end to every wait.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use task07_kafka::{KafkaFailure, Message, Publisher, Reader};
use testenv::Topic;
use tokio::time::timeout;

/// For what must happen: the promise for a round trip, many times what it takes.
const LIMIT: Duration = Duration::from_secs(5);
/// For what must not happen: as short as can be told from nothing and from a whole second.
const SHORT: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_message_makes_the_round_trip_within_five_seconds() {
    let topic = testenv::fresh_topic().await;
    let sent = [Message::new("paid").with_key("order-7").with_header("trace", "a1")];

    let read = within_limit(round_trip(&topic, &sent)).await;

    assert_eq!(read, sent);
}

#[tokio::test]
async fn a_payload_may_hold_any_bytes() {
    let topic = testenv::fresh_topic().await;
    let sent = [Message::new(Vec::from_iter(0..=u8::MAX))];

    let read = round_trip(&topic, &sent).await;

    assert_eq!(read, sent);
}

#[tokio::test]
async fn a_long_payload_arrives_whole() {
    let topic = testenv::fresh_topic().await;
    let sent = [Message::new(Vec::from_iter((0..=u8::MAX).cycle().take(900_000)))];

    let read = round_trip(&topic, &sent).await;

    assert_eq!(read, sent);
}

#[tokio::test]
async fn an_empty_part_is_not_a_missing_one() {
    let topic = testenv::fresh_topic().await;
    let empty = Message::new("").with_key("").with_header("retry", "");
    let missing = Message { headers: vec![("retry".into(), None)], ..Message::default() };
    let sent = [empty, missing];

    let read = round_trip(&topic, &sent).await;

    assert_eq!(read, sent);
}

#[tokio::test]
async fn headers_keep_their_order_and_their_repeats() {
    let topic = testenv::fresh_topic().await;
    let sent = [Message::new("paid")
        .with_header("via", "shop")
        .with_header("by", "web")
        .with_header("via", "proxy")];

    let read = round_trip(&topic, &sent).await;

    assert_eq!(read, sent);
}

#[tokio::test]
async fn what_was_published_before_the_reader_began_is_read_in_order_and_once() {
    let topic = testenv::fresh_topic().await;
    let sent = ["placed", "paid", "sent"].map(Message::new);
    publish(&topic, &sent).await;

    let reader = Reader::from_start(topic.brokers(), topic.name()).unwrap();
    let read = read(&reader, sent.len()).await;
    let rest = within_limit(reader.read(SHORT)).await;

    assert_eq!(read, sent);
    assert!(matches!(rest, Err(KafkaFailure::Timeout { .. })), "{rest:?}");
}

#[tokio::test]
async fn a_publish_that_no_broker_acknowledges_fails_within_its_limit() {
    // It takes the connection and says nothing, as a broker does that hangs.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let publisher = Publisher::new(&silent.local_addr().unwrap().to_string(), SHORT).unwrap();

    let answer = timeout(LIMIT, publisher.publish("orders", &Message::new("paid")))
        .await
        .expect("publish ends");

    assert!(matches!(answer, Err(KafkaFailure::NotAcknowledged { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_read_of_an_empty_topic_ends_when_its_limit_is_over() {
    let topic = testenv::fresh_topic().await;
    let reader = Reader::from_start(topic.brokers(), topic.name()).unwrap();

    let start = Instant::now();
    let answer = within_limit(reader.read(SHORT)).await;

    assert!(matches!(answer, Err(KafkaFailure::Timeout { .. })), "{answer:?}");
    assert!(start.elapsed() >= SHORT, "it gave up after {:?}", start.elapsed());
}

/// A subject that forgets its own limit must fail the test, not hang it.
async fn within_limit<T>(work: impl Future<Output = T>) -> T {
    timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("it has not ended after {LIMIT:?}"))
}

async fn round_trip(topic: &Topic, sent: &[Message]) -> Vec<Message> {
    publish(topic, sent).await;
    read(&Reader::from_start(topic.brokers(), topic.name()).unwrap(), sent.len()).await
}

async fn publish(topic: &Topic, messages: &[Message]) {
    let publisher = Publisher::new(topic.brokers(), LIMIT).unwrap();
    for message in messages {
        publisher.publish(topic.name(), message).await.unwrap();
    }
}

async fn read(reader: &Reader, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    for _ in 0..count {
        messages.push(reader.read(LIMIT).await.unwrap());
    }
    messages
}
