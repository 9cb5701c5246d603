//! The numbers of one run.
//!
//! Invariant: what cannot be told is `None`, never 0 and never NaN.

use std::cmp::Reverse;
use std::time::Duration;

use crate::{Outcome, Run, Test, faults};

/// How many tests the list of the slowest has.
const SLOWEST: usize = 10;

/// The numbers of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// All tests.
    pub tests: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that passed on a retry.
    pub flaky: usize,
    /// Tests that did not run.
    pub skipped: usize,
    /// Tests that ran, and whose time is unknown.
    pub untimed: usize,
    /// Attempts after the first one, of all tests together.
    pub retries: usize,
    /// The times of all attempts of all tests together.
    pub busy: Duration,
    /// How long the run took.
    pub wall: Option<Duration>,
    /// How many tests ran at once on average: `busy` divided by `wall`.
    pub parallelism: Option<f64>,
    /// The middle of the times. Of an even number of times, it is the mean of the two in the middle.
    pub median: Option<Duration>,
    /// The shortest of the times than which 95 % of the times are not longer (nearest rank).
    pub p95: Option<Duration>,
    /// The ten slowest tests, the slowest first.
    pub slowest: Vec<Test>,
}

impl Run {
    /// Computes the numbers of the run.
    pub fn summary(&self) -> Summary {
        let count = |outcome| self.tests.iter().filter(|test| test.outcome == outcome).count();
        let times = times(&self.tests);
        let skipped = count(Outcome::Skipped);
        let untimed = self.tests.iter().filter(|test| test.is_untimed()).count();
        let busy = self.tests.iter().filter_map(Test::busy).sum();
        let known = (untimed == 0 || faults::parallelism_of_a_part()) && !times.is_empty();
        Summary {
            tests: self.tests.len(),
            failed: count(Outcome::Failed),
            flaky: count(Outcome::Flaky),
            skipped,
            untimed,
            retries: self.tests.iter().map(|test| test.retries).sum(),
            busy,
            wall: self.wall,
            parallelism: parallelism(busy, self.wall).filter(|_| known),
            median: median(&times).or(faults::median_of_none()),
            p95: p95(&times),
            slowest: slowest(&self.tests),
        }
    }
}

impl Test {
    fn is_untimed(&self) -> bool {
        self.time.is_none() && self.outcome != Outcome::Skipped
    }

    /// The time of all attempts.
    fn busy(&self) -> Option<Duration> {
        let repeated = self.repeated.filter(|_| !faults::retries_cost_nothing());
        self.time.map(|time| time + repeated.unwrap_or_default())
    }
}

/// The known times, the shortest first.
pub(crate) fn times(tests: &[Test]) -> Vec<Duration> {
    let counted = |test: &&Test| !faults::failed_are_left_out() || test.outcome != Outcome::Failed;
    let mut times: Vec<Duration> = tests.iter().filter(counted).filter_map(|it| it.time).collect();
    times.sort_unstable();
    faults::sorted(times)
}

/// The median of times that are sorted.
pub(crate) fn median(times: &[Duration]) -> Option<Duration> {
    let middle = times.len() / 2;
    let upper = *times.get(middle)?;
    match times.len() % 2 {
        0 if !faults::upper_median() => Some((times[middle - 1] + upper) / 2),
        _ => Some(upper),
    }
}

/// The 95th percentile of times that are sorted.
fn p95(times: &[Duration]) -> Option<Duration> {
    let rank = faults::p95_rank(times.len()).unwrap_or((times.len() * 95).div_ceil(100));
    times.get(rank.checked_sub(1)?).copied()
}

fn parallelism(busy: Duration, wall: Option<Duration>) -> Option<f64> {
    let (busy, wall) = faults::ratio(busy, wall.or(faults::wall_of_none(busy))?);
    let ratio = busy.as_secs_f64() / wall.as_secs_f64();
    (ratio.is_finite() || faults::ratio_of_nothing()).then_some(ratio)
}

fn slowest(tests: &[Test]) -> Vec<Test> {
    let mut timed: Vec<&Test> = tests.iter().filter(|test| test.time.is_some()).collect();
    timed.sort_by_key(|test| Reverse(test.time));
    faults::ordered(&mut timed);
    timed.into_iter().take(faults::length(SLOWEST)).cloned().collect()
}
