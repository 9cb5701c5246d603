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
//   R1  the payload read is the payload sent: any bytes, long, empty, none
//   R2  the key read is the key sent; no key stays no key
//   R3  the headers read are the headers sent: names, values, order, repeated names
//   R4  what was published before the reader began is read, from the first message on
//   R5  messages are read in the order in which they were published, each once
//   R6  publish is Ok only when a broker has the message
//   R7  publish and read keep their limits
