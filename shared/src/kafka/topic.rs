//! A topic, and what is said of it when its test has failed.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rdkafka::producer::FutureProducer;

use super::aside::Aside;
use crate::current_test::legal;
use crate::verdict::{Evidence, Held, Told};

/// Kafka allows 249 characters; the rest is for what makes the name unique.
const NAME_LIMIT: usize = 200;

/// How many topics of failed tests are reported: the newest ones.
const TOLD: usize = 16;

/// A topic that no other test uses.
///
/// It stays as long as its broker: the mock ends with the process, the run's broker with the run.
/// On a broker of `TESTENV_KAFKA_BROKERS` the topic is deleted when the run ends, also if its test
/// was killed. When a test has failed, the command that reads its topic is printed.
///
/// ```no_run
/// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use testenv::Topic;
///
/// let topic: Topic = testenv::fresh_topic().await;
/// topic.send("paid").await?;
/// assert_eq!(topic.read(1, Duration::from_secs(5)).await?[0].text(), "paid");
/// # Ok(()) }
/// ```
#[must_use = "a topic that nobody writes to or reads from tests nothing"]
pub struct Topic {
    pub(super) brokers: String,
    pub(super) name: String,
    pub(super) partitions: i32,
    /// For [`Topic::send`].
    pub(super) producer: OnceLock<Aside<FutureProducer>>,
    pub(super) held: Held,
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

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({} at {})", self.name, self.brokers)
    }
}

/// The topic of a test that has ended. There is nothing to keep or remove: topics stay as long as
/// their broker does.
pub(super) struct Used {
    pub(super) told: Told,
}

impl Evidence for Used {
    fn room(&self) -> usize {
        TOLD
    }

    fn told(&self) -> Told {
        self.told.clone()
    }
}

/// A legal topic name that contains the test's name. `token` tells runs (or processes) apart. The
/// process and a count tell topics apart.
pub(super) fn unique(test: &str, token: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let test = legal(test, NAME_LIMIT);
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
