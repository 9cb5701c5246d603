//! The parts that play with Kafka.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::{Held, nothing, runtime, say};

pub(crate) fn play(part: &str) -> Option<Held> {
    match part {
        "round trip" => runtime().block_on(round_trip()),
        "topic" => runtime().block_on(async { say(testenv::fresh_topic().await.name()) }),
        _ => return None,
    }
    nothing()
}

/// A message that the broker has taken: whoever sends one goes to the address that the broker named.
async fn round_trip() {
    let topic = testenv::fresh_topic().await;
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", topic.brokers()).set("message.timeout.ms", "20000");
    let producer: FutureProducer = client.create().unwrap();
    let record = FutureRecord::<(), _>::to(topic.name()).payload("sent");
    producer.send(record, Duration::from_secs(20)).await.unwrap();
}
