//! Names for what a test makes on a broker that it shares with other tests.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::faults;

/// Kafka allows 249 characters: 150 of the test, 60 of the token, and up to 20 digits of the count.
pub(crate) const TEST_LIMIT: usize = 150;

/// Makes names for topics, and for anything else that must be unique on a broker: consumer groups,
/// transactional ids, tags.
///
/// A process has one `Names`, in a `static`, because a count in it tells the names apart.
///
/// ```
/// use task15_shared_broker::Names;
///
/// let names = Names::new("7f3a-4711");
/// assert_eq!(names.topic("orders::paid"), "orders.paid.7f3a-4711.0");
/// assert_eq!(names.topic("orders::paid"), "orders.paid.7f3a-4711.1");
/// ```
#[derive(Debug)]
pub struct Names {
    token: String,
    count: AtomicU64,
    wrong: faults::Counts,
}

impl Names {
    /// Returns the names of a process. `token` is different for every process that uses the broker.
    ///
    /// A token has 1 to 60 characters: ASCII letters, digits and hyphens.
    pub fn new(token: &str) -> Names {
        Names { token: token.into(), count: AtomicU64::new(0), wrong: faults::Counts::default() }
    }

    /// Returns a new name for a topic of this test. No other call returns the same name.
    pub fn topic(&self, test: &str) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(other) = self.wrong.name(test, &self.token, count) {
            return other;
        }
        // The token and the count hold no dot: the name of the test cannot imitate them.
        let test: String = legal(test).chars().take(TEST_LIMIT).collect();
        format!("{test}.{}.{count}", self.token)
    }
}

/// Replaces what Kafka forbids in a name.
pub(crate) fn legal(test: &str) -> String {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let of = |c| if is_legal(c) || faults::is_kept(c) { c } else { '_' };
    test.replace("::", ".").chars().map(of).collect()
}
