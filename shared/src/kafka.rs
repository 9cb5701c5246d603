//! A Kafka topic for one test, on a broker that all tests share.
//!
//! In the plain tier, the broker is librdkafka's mock, one per process. With the feature
//! `integration` it is a real broker, one per run.
//!
//! Private to the test: the topic, with its offsets. Not private, because there is only one broker:
//! consumer groups of the same name, and what an admin client lists or changes in the whole
//! cluster.
//!
//! ```no_run
//! # async fn test() {
//! // Two topics never share a message; a consumer group by the topic's name is nobody else's either.
//! let (orders, bills) = (testenv::kafka::fresh_topic().await, testenv::kafka::fresh_topic().await);
//! assert_ne!(orders.name(), bills.name());
//! # }
//! ```
//!
//! Invariant: no two topics of a run have the same name. A topic on an external broker is noted
//! before it is created.

use std::panic::Location;
use std::sync::OnceLock;

use crate::current_test;
#[cfg(feature = "integration")]
use crate::run::cleaner::Cleaner;
#[cfg(feature = "integration")]
use crate::server::Starter;
use crate::service::KAFKA;
use crate::verdict::Held;

mod aside;
#[cfg(feature = "integration")]
mod batch;
#[cfg(not(feature = "integration"))]
mod embedded;
mod messages;
#[cfg(feature = "integration")]
mod real;
mod topic;

pub use messages::Message;
pub use topic::Topic;

#[cfg(not(feature = "integration"))]
use embedded as broker;
#[cfg(feature = "integration")]
use real as broker;

/// How the server is started before a test asks for it.
#[cfg(feature = "integration")]
pub(crate) const START: Starter = (KAFKA.name, || crate::server::start(real::start()));

/// Removes topics on external brokers.
#[cfg(feature = "integration")]
pub(crate) const CLEANER: Cleaner =
    Cleaner { is_external: true, ..Cleaner::new("kafka", real::remove) };

/// Returns an empty topic with one partition that no other test can meet by accident, on a broker that
/// answers.
///
/// The first call of the process (mock: 3 ms) or of the run (real: about 5 s) starts the broker.
///
/// # Panics
///
/// If no broker can be reached or started. The message says what was tried and what to type.
///
/// ```no_run
/// # async fn test() {
/// let topic = testenv::fresh_topic().await;
/// println!("kafka-console-consumer --bootstrap-server {} --topic {}", topic.brokers(), topic.name());
/// # }
/// ```
#[track_caller]
pub fn fresh_topic() -> impl Future<Output = Topic> {
    fresh_topic_with(1)
}

/// Returns an empty topic like [`fresh_topic`], with this many partitions.
///
/// # Panics
///
/// Like [`fresh_topic`], and if `partitions` is not at least 1.
///
/// ```no_run
/// # async fn test() -> Result<(), testenv::Error> {
/// use testenv::kafka::Message;
///
/// let topic = testenv::fresh_topic_with(3).await;
/// topic.send(Message::new("paid").partition(2)).await?;
/// # Ok(()) }
/// ```
#[track_caller]
pub fn fresh_topic_with(partitions: i32) -> impl Future<Output = Topic> {
    assert!(partitions > 0, "a topic has at least one partition, not {partitions}");
    let asked = Location::caller();
    async move {
        let test = current_test::name();
        let made = broker::make(&test, partitions).await;
        let (brokers, name) = made.unwrap_or_else(|error| error.raise(asked));
        let (producer, held) = (OnceLock::new(), Held::new(KAFKA.name, test));
        Topic { brokers, name, partitions, producer, held }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.held.end(broker::read(self));
    }
}
