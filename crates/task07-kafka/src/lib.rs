#![doc = "[before]: ../task06_redis/index.html\n[next]: ../task08_seed_data/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod message;
mod failure;
mod faults;

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::FutureProducer;
use rdkafka::{Offset, TopicPartitionList};
use testenv::fault;
use tokio::time::timeout;

use message::PARTITION;
pub use {failure::KafkaFailure, message::Message};

/// Writes messages to the broker. Dropping it abandons messages without an acknowledgement.
///
/// ```no_run
/// # use std::time::Duration;
/// # use task07_kafka::{KafkaFailure, Message, Publisher, Reader};
/// # async fn there_and_back(brokers: &str, topic: &str) -> Result<(), KafkaFailure> {
/// let limit = Duration::from_secs(5);
/// let sent = Message::new("paid").with_key("order-7").with_header("trace", "a1");
/// Publisher::new(brokers, limit)?.publish(topic, &sent).await?;
///
/// assert_eq!(Reader::from_start(brokers, topic)?.read(limit).await?, sent);
/// # Ok(())
/// # }
/// ```
pub struct Publisher {
    producer: FutureProducer,
    limit: Duration,
}

impl Publisher {
    /// Returns a publisher that waits up to `limit` per acknowledgement. It connects on first use.
    ///
    /// # Errors
    ///
    /// [`KafkaFailure::Client`] if the client refuses its settings, not if the broker is absent.
    pub fn new(brokers: &str, limit: Duration) -> Result<Publisher, KafkaFailure> {
        let limit = faults::publish_limit(limit);
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        // The client must not retry after `publish` has failed. For the client, 0 means no limit.
        config.set("message.timeout.ms", limit.as_millis().max(1).to_string());
        faults::configure_publisher(&mut config);
        Ok(Publisher { producer: config.create()?, limit })
    }

    /// Returns when a broker has acknowledged the message.
    ///
    /// # Errors
    ///
    /// [`KafkaFailure::NotAcknowledged`] if no broker acknowledges the message within the limit;
    /// [`KafkaFailure::Client`] if the message cannot be sent at all.
    pub async fn publish(&self, topic: &str, message: &Message) -> Result<(), KafkaFailure> {
        let message = &faults::sent(message.clone());
        if fault!("fire-and-forget") {
            return faults::fire_and_forget(&self.producer, message.to_record(topic));
        }
        let answer = self.deliver(topic, message).await;
        if fault!("published-twice") {
            return self.deliver(topic, message).await;
        }
        if fault!("failure-swallowed") { Ok(()) } else { answer }
    }

    async fn deliver(&self, topic: &str, message: &Message) -> Result<(), KafkaFailure> {
        // The client looks for overdue messages once a second only, so `publish` keeps the limit.
        let sent = self.producer.send(message.to_record(topic), self.limit);
        match timeout(faults::noticed(self.limit), sent).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut), _)))
            | Err(_) => Err(KafkaFailure::NotAcknowledged { limit: self.limit }),
            Ok(Err((refusal, _))) => Err(refusal.into()),
        }
    }
}

/// Reads one topic from its first message on.
pub struct Reader {
    consumer: StreamConsumer,
    hoard: faults::Hoard,
}

impl Reader {
    /// Returns a reader that starts at the first message of `topic`. It connects in the background.
    ///
    /// # Errors
    ///
    /// [`KafkaFailure::Client`] if the client refuses its settings or the topic's name.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime: the client wakes its reader from a task.
    pub fn from_start(brokers: &str, topic: &str) -> Result<Reader, KafkaFailure> {
        let consumer: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            // The client requires a group name, even if the reader joins no group.
            .set("group.id", env!("CARGO_PKG_NAME"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create()?;

        // Not `subscribe`: joining takes seconds, and its start depends on what others committed.
        // Offset 0, or the earliest retained; looking up `Offset::Beginning` costs half a second.
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(topic, PARTITION, faults::start(Offset::Offset(0)))?;
        consumer.assign(&start)?;
        Ok(Reader { consumer, hoard: faults::Hoard::default() })
    }

    /// Returns the next message as soon as it arrives.
    ///
    /// # Errors
    ///
    /// [`KafkaFailure::Timeout`] if no message comes; [`KafkaFailure::Client`] if the client stops.
    pub async fn read(&self, limit: Duration) -> Result<Message, KafkaFailure> {
        if fault!("newest-first") {
            return self.hoard.newest_first(async |limit| self.next(limit).await, limit).await;
        }
        self.next(limit).await
    }

    async fn next(&self, limit: Duration) -> Result<Message, KafkaFailure> {
        let mut complaint = None;
        let arrival = async {
            loop {
                match self.consumer.recv().await {
                    Ok(raw) => return Ok(faults::received(Message::from_raw(&raw))),
                    Err(fatal @ KafkaError::MessageConsumptionFatal(_)) => return Err(fatal.into()),
                    // The client retries by itself: the broker may come back before the limit.
                    Err(passing) => complaint = Some(passing),
                }
            }
        };
        match timeout(faults::read_limit(limit), arrival).await {
            Ok(arrived) => arrived,
            Err(_) => Err(KafkaFailure::Timeout { limit, source: complaint }),
        }
    }
}
