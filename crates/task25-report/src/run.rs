//! A run of tests, as far as a report needs it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One run of a test suite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When it began, in the words of the runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// How long it took on a clock on the wall. `None` if the runner does not say.
    #[serde(default, with = "seconds", skip_serializing_if = "Option::is_none")]
    pub wall: Option<Duration>,
    /// Every test, skipped tests too.
    pub tests: Vec<Test>,
}

/// One test of a run, with all its attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// The name of the suite that the test belongs to. Two suites can have tests of one name.
    pub suite: String,
    /// The name, as the author wrote it.
    pub name: String,
    /// How the test ended.
    pub outcome: Outcome,
    /// The time that the file gives for the test. With retries, nextest writes the attempt that passed, or the first
    /// one. `None` if the test did not run, or the runner gives no time.
    #[serde(default, with = "seconds", skip_serializing_if = "Option::is_none")]
    pub time: Option<Duration>,
    /// How often the test was tried again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: usize,
    /// The time of all other attempts together. `None` if there were none, or without a time.
    #[serde(default, with = "seconds", skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Duration>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It passed at the first attempt.
    Passed,
    /// It failed and then passed on a retry.
    Flaky,
    /// It failed.
    Failed,
    /// It did not run.
    Skipped,
}

impl Test {
    /// Whether the list names this test: by its name, or by its suite and its name.
    pub(crate) fn is_in(&self, list: &[String]) -> bool {
        list.iter().any(|listed| match listed.strip_suffix(&self.name) {
            Some("") => true,
            Some(suite) => suite.strip_suffix(' ') == Some(&self.suite),
            None => false,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A duration as a number of seconds: `0.513` is easier to read in a file than `{"secs":0,"nanos":513000000}`.
mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_f64(time.as_secs_f64()),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(from)?;
        seconds.map(|it| Duration::try_from_secs_f64(it).map_err(D::Error::custom)).transpose()
    }
}
