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

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::current_test;
#[cfg(feature = "integration")]
use crate::run::cleaner::Cleaner;
use crate::verdict::{Evidence, Held, Told};

#[cfg(not(feature = "integration"))]
mod embedded;
#[cfg(feature = "integration")]
mod real;

#[cfg(not(feature = "integration"))]
use embedded as broker;
#[cfg(feature = "integration")]
use real as broker;

/// Removes topics on external brokers.
#[cfg(feature = "integration")]
pub(crate) const CLEANER: Cleaner =
    Cleaner { is_external: true, ..Cleaner::new("kafka", real::remove) };

/// Kafka allows 249 characters; the rest is for what makes the name unique.
const NAME_LIMIT: usize = 200;

/// How many topics of failed tests are reported: the newest ones.
const TOLD: usize = 16;

/// A topic with one partition that no other test uses.
///
/// It stays as long as its broker: the mock ends with the process, the run's broker with the run.
/// On a broker of `TESTENV_KAFKA_BROKERS` the topic is deleted when the run ends, also if its test
/// was killed. When a test has failed, the command that reads its topic is printed.
///
/// ```no_run
/// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
/// use rdkafka::ClientConfig;
/// use rdkafka::producer::{FutureProducer, FutureRecord};
/// use testenv::Topic;
///
/// let topic: Topic = testenv::fresh_topic().await;
/// let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", topic.brokers()).create()?;
/// let record = FutureRecord::<(), _>::to(topic.name()).payload("paid");
/// producer.send(record, std::time::Duration::from_secs(5)).await.map_err(|(error, _)| error)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a topic that nobody writes to or reads from tests nothing"]
pub struct Topic {
    brokers: String,
    name: String,
    held: Held,
}

/// Returns an empty topic that no other test can meet by accident, on a broker that answers.
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
pub async fn fresh_topic() -> Topic {
    let test = current_test::name();
    let (brokers, name) = broker::make(&test).await.unwrap_or_else(|error| panic!("{error}"));
    Topic { brokers, name, held: Held::new("kafka", test) }
}

impl Topic {
    /// The brokers, as `bootstrap.servers` takes them: `host:port`, separated by commas.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The topic's name: the test's name, with a part that makes it unique.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.held.end(broker::read(self));
    }
}

/// The topic of a test that has ended. There is nothing to keep or remove: topics stay as long as
/// their broker does.
struct Used {
    told: Told,
}

impl Evidence for Used {
    fn room(&self) -> usize {
        TOLD
    }

    fn keep(&mut self) {}

    fn let_go(&mut self) {}

    fn told(&self) -> Told {
        self.told.clone()
    }
}

/// A legal topic name that contains the test's name. `token` tells runs (or processes) apart. The
/// process and a count tell topics apart.
fn unique(test: &str, token: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let legal = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
    let test: String = test
        .replace("::", ".")
        .chars()
        .map(|c| if c == '.' { c } else { legal(c) })
        .take(NAME_LIMIT)
        .collect();
    format!("{test}.{token}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::unique;

    #[test]
    fn a_topic_name_is_legal_unique_and_carries_the_tests_name() {
        let (one, two) = (unique("mod::a test \u{e9}", "t"), unique("mod::a test \u{e9}", "t"));

        assert!(one.starts_with("mod.a-test--.t-"), "{one}");
        assert_ne!(one, two);
        assert!(unique(&"x".repeat(500), "0123456789abcdef").len() <= 249);
    }
}
