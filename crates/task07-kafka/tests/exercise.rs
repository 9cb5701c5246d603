//! Your tests. The README lists the requirements; `cargo course check task07` says which broken programs get past them.

use std::time::Duration;

use task07_kafka::{Message, Publisher};

/// For whatever must happen: far more than it takes, and still an end.
const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_broker_acknowledges_a_message() {
    let topic = testenv::fresh_topic().await;
    let publisher = Publisher::new(topic.brokers(), LIMIT).unwrap();

    let answer = publisher.publish(topic.name(), &Message::new("hello")).await;

    assert!(answer.is_ok(), "{answer:?}");
}

// This test is green, and it would be green if the message arrived as rubbish, or never: it asks the publisher only.
// Begin with a reader: `Reader::from_start(topic.brokers(), topic.name())`, then `reader.read(LIMIT).await`.
//
// Still to be tested:
//   R1  the payload read equals the payload sent: text or binary, up to 900 000 bytes, empty, or missing
//   R2  the key read equals the key sent; a message without a key is read without a key
//   R3  the headers read equal the headers sent: names, values, order, repeated names
//   R4  the reader reads everything that was published before the reader began, from the first message on
//   R5  messages are read in the order in which they were published, each message once
//   R6  an Ok from publish means that a broker has the message; without a broker, NotAcknowledged
//   R7  publish and read end when their limit is over; without a message, read fails with Timeout
