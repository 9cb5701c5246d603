//! Compares a run with the runs before it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use crate::summary::median;
use crate::{Run, Test, faults};

/// With how many earlier runs a run is compared: enough for a median that one bad day does not move, few
/// enough that a test that became slow last week does not hide behind last month.
pub const LAST: usize = 5;

/// A test that became slower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slower {
    /// The suite of the test.
    pub suite: String,
    /// The name of the test.
    pub name: String,
    /// The median of its times in the last kept runs.
    pub before: Duration,
    /// Its time in this run.
    pub now: Duration,
}

/// Returns the tests that became slower, the largest increase first.
///
/// `kept` are earlier runs, the oldest first. The time before is the median of the times that a test has in the
/// last five of them. A copy of `now` is no earlier run.
pub fn slower(kept: &[Run], now: &Run) -> Vec<Slower> {
    let earlier = earlier(kept, now);
    let last = faults::compared(&earlier).unwrap_or(&earlier[earlier.len().saturating_sub(LAST)..]);
    let mut times: HashMap<(&str, &str), Vec<Duration>> = HashMap::new();
    for test in last.iter().flat_map(|run| &run.tests) {
        times.entry(key(test)).or_default().extend(test.time);
    }

    let mut slower = Vec::new();
    for test in &now.tests {
        let mut before = times.get(&key(test)).cloned().unwrap_or_default();
        before.sort_unstable();
        let before = faults::before(&before).or_else(|| median(&before));
        let (Some(before), Some(now)) = (before.or(faults::before_a_new_test()), test.time) else {
            continue;
        };
        if now > before {
            let (suite, name) = (test.suite.clone(), test.name.clone());
            slower.push(Slower { suite, name, before, now });
        }
    }
    if !faults::in_the_order_of_the_file() {
        slower.sort_by_key(|test| Reverse(test.now - test.before));
    }
    slower
}

/// The earlier runs, the oldest first.
pub(crate) fn earlier<'a>(kept: &'a [Run], now: &Run) -> Vec<&'a Run> {
    kept.iter().filter(|run| *run != now || faults::compares_with_itself()).collect()
}

/// Whose time it is. Two suites can have tests of one name.
fn key(test: &Test) -> (&str, &str) {
    (faults::suite_of(test), &test.name)
}
