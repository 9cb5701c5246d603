//! The faults of this task, and its other right programs. Think of your own faults before you look.

use std::cmp::Reverse;
use std::time::Duration;

use testenv::fault;

use crate::{Outcome, Run, Test};

// Reading.

pub(crate) fn accepts_a_cut_file() -> bool {
    fault!("cut-accepted")
}

pub(crate) fn names_stay_encoded() -> bool {
    fault!("names-stay-encoded")
}

pub(crate) fn accepts_any_root() -> bool {
    fault!("any-xml-accepted")
}

pub(crate) fn classname_does_not_count() -> bool {
    fault!("classname-ignored")
}

pub(crate) fn reruns_do_not_count() -> bool {
    fault!("reruns-not-counted")
}

pub(crate) fn an_error_is_no_failure() -> bool {
    fault!("error-passes")
}

pub(crate) fn a_skipped_test_has_a_time() -> bool {
    fault!("skipped-is-timed")
}

/// Takes every element that has a name and a time for a test.
pub(crate) fn suite_is_timed(run: &mut Run, suite: &str, time: Option<Duration>) {
    if time.is_some() && fault!("suite-is-a-test") {
        run.tests.push(attempt(suite, suite, Outcome::Passed, time));
    }
}

pub(crate) fn retry_is_a_test(tests: &mut Vec<Test>, test: &Test, time: Option<Duration>) {
    if fault!("retry-is-a-test") {
        tests.push(attempt(&test.suite, &test.name, Outcome::Failed, time));
    }
}

fn attempt(suite: &str, name: &str, outcome: Outcome, time: Option<Duration>) -> Test {
    let (suite, name) = (suite.to_owned(), name.to_owned());
    Test { suite, name, outcome, time, retries: 0, repeated: None }
}

/// Returns the test with another time.
pub(crate) fn timed(test: Test) -> Test {
    if test.time.is_none() && test.outcome != Outcome::Skipped && fault!("untimed-is-zero") {
        return Test { time: Some(Duration::ZERO), ..test };
    }
    test
}

/// Returns the run with other tests, or in another order.
pub(crate) fn parsed(mut run: Run) -> Run {
    if fault!("names-merged") {
        let mut seen = std::collections::HashSet::new();
        run.tests.retain(|test| seen.insert(test.name.clone()));
    }
    if fault!("tests-sorted-by-name") {
        run.tests.sort_by(|a, b| (&a.name, &a.suite).cmp(&(&b.name, &b.suite)));
    }
    run
}

// The numbers.

pub(crate) fn failed_are_left_out() -> bool {
    fault!("failed-left-out")
}

pub(crate) fn retries_cost_nothing() -> bool {
    fault!("retries-cost-nothing")
}

pub(crate) fn upper_median() -> bool {
    fault!("upper-median")
}

pub(crate) fn median_of_none() -> Option<Duration> {
    fault!("median-of-none").then_some(Duration::ZERO)
}

/// Returns other times.
pub(crate) fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    if fault!("ties-dropped") {
        times.dedup();
    }
    times
}

/// Returns another rank, counted from one.
pub(crate) fn p95_rank(times: usize) -> Option<usize> {
    if fault!("p95-rounded-down") {
        return Some((times * 95 / 100).max(times.min(1)));
    }
    if fault!("p95-counted-from-zero") {
        return Some((times * 95 / 100 + 1).min(times));
    }
    None
}

pub(crate) fn ratio(busy: Duration, wall: Duration) -> (Duration, Duration) {
    if fault!("parallelism-inverted") { (wall, busy) } else { (busy, wall) }
}

pub(crate) fn wall_of_none(busy: Duration) -> Option<Duration> {
    fault!("wall-is-the-sum").then_some(busy)
}

pub(crate) fn parallelism_of_a_part() -> bool {
    fault!("parallelism-of-a-part")
}

pub(crate) fn ratio_of_nothing() -> bool {
    fault!("divides-by-zero")
}

/// Puts the tests into another order.
pub(crate) fn ordered(slowest_first: &mut [&Test]) {
    if fault!("sorted-as-text") {
        let text = |test: &&Test| test.time.map(|time| format!("{:.3}", time.as_secs_f64()));
        slowest_first.sort_by_key(|test| Reverse(text(test)));
    }
    if fault!("last-of-equals-first") {
        slowest_first.reverse();
        slowest_first.sort_by_key(|test| Reverse(test.time));
    }
}

pub(crate) fn length(of_the_list: usize) -> usize {
    if fault!("nine-slowest") { of_the_list - 1 } else { of_the_list }
}

// The trend.

pub(crate) fn compares_with_itself() -> bool {
    fault!("compares-with-itself")
}

/// Returns the earlier runs that count.
pub(crate) fn compared<'a, 'r>(earlier: &'a [&'r Run]) -> Option<&'a [&'r Run]> {
    if fault!("all-runs-count") {
        return Some(earlier);
    }
    if fault!("oldest-runs-count") {
        return Some(&earlier[..earlier.len().min(crate::LAST)]);
    }
    None
}

/// Returns the mean of the times before.
pub(crate) fn before(times: &[Duration]) -> Option<Duration> {
    let number = u32::try_from(times.len()).ok().filter(|number| *number > 0)?;
    fault!("mean-before").then(|| times.iter().sum::<Duration>() / number)
}

pub(crate) fn before_a_new_test() -> Option<Duration> {
    fault!("new-is-slower").then_some(Duration::ZERO)
}

pub(crate) fn in_the_order_of_the_file() -> bool {
    fault!("slower-unsorted")
}

pub(crate) fn suite_of(test: &Test) -> &str {
    if fault!("suites-compared-by-name") { "" } else { &test.suite }
}

// What a person reads.

pub(crate) fn control_characters_stay() -> bool {
    fault!("control-characters-stay")
}

/// Returns other HTML for a text.
pub(crate) fn written(text: &str) -> Option<String> {
    if fault!("page-unescaped") {
        return Some(text.to_owned());
    }
    if fault!("quotes-as-numbers") {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&#62;");
        return Some(escaped.replace('"', "&#34;").replace('\'', "&#39;"));
    }
    None
}

/// Returns the text as it is given to the template.
pub(crate) fn given(text: &str) -> String {
    if fault!("page-escaped-twice") {
        return text.replace('&', "&amp;").replace('<', "&lt;");
    }
    text.to_owned()
}

/// Returns another word for a number that is not known.
pub(crate) fn unknown(usual: &'static str) -> &'static str {
    if fault!("other-words") { "n/a" } else { usual }
}
