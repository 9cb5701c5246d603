//! 25 tests that each want a broker. `tests/it/p1_one_server.rs` counts how many brokers they get.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use testenv::Topic;

const LIMIT: Duration = Duration::from_secs(20);

fn send(topic: &Topic, payload: &str) {
    let producer: BaseProducer = client(topic).create().unwrap();
    producer.send(BaseRecord::<(), str>::to(topic.name()).payload(payload)).unwrap();
    producer.flush(LIMIT).unwrap();
}

/// The first message of the topic and the number of messages in it.
fn first_and_count(topic: &Topic) -> (String, i64) {
    let mut config = client(topic);
    // The question for the watermarks waits behind a fetch on the same connection, and that one waits, by default half a second, for a message that never comes.
    config.set("group.id", "many").set("fetch.wait.max.ms", "10");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic.name(), 0, Offset::Offset(0)).unwrap();
    consumer.assign(&from).unwrap();
    let message = consumer.poll(LIMIT).expect("a message within the limit").unwrap();
    let (low, high) = consumer.fetch_watermarks(topic.name(), 0, LIMIT).unwrap();
    (message.payload_view::<str>().unwrap().unwrap().to_owned(), high - low)
}

fn client(topic: &Topic) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", topic.brokers());
    config
}

macro_rules! a_topic_holds_only_the_message_of_its_own_test {
    ($($name:ident)*) => {$(
        #[tokio::test]
        async fn $name() {
            let topic = testenv::fresh_topic().await;

            send(&topic, stringify!($name));

            assert_eq!(first_and_count(&topic), (stringify!($name).to_owned(), 1));
            assert!(topic.name().starts_with(concat!(stringify!($name), ".")), "{}", topic.name());
        }
    )*};
}

a_topic_holds_only_the_message_of_its_own_test! {
    t01 t02 t03 t04 t05 t06 t07 t08 t09 t10 t11 t12 t13 t14 t15 t16 t17 t18 t19 t20 t21 t22 t23 t24
}

#[tokio::test]
async fn a_topic_can_be_asked_for_in_a_spawned_task() {
    let asked = tokio::spawn(async { testenv::fresh_topic().await.name().to_owned() });

    assert_ne!(asked.await.unwrap(), "");
}
