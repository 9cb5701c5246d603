//! The runs of the tests in quarantine, and who may leave.

use serde::{Deserialize, Serialize};
use testenv::fault;

use crate::Entry;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It passed at once.
    Passed,
    /// It failed, and passed on a retry.
    Retried,
    /// It failed.
    Failed,
}

/// A test that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// The package of the test.
    pub package: String,
    /// The whole name of the test.
    pub test: String,
    /// How it ended.
    pub outcome: Outcome,
}

impl Ran {
    pub(crate) fn is_of(&self, entry: &Entry) -> bool {
        let is_named = match fault!("by-prefix") {
            true => self.test.starts_with(&entry.test),
            false => self.test == entry.test,
        };
        is_named && self.package == entry.package
    }
}

/// What the runs say of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The package of the test.
    pub package: String,
    /// The whole name of the test.
    pub test: String,
    /// How the test ended in the last run. `None` if it did not run there.
    pub last: Option<Outcome>,
    /// How often it ran.
    pub ran: usize,
    /// How often it passed, at once.
    pub passed: usize,
    /// How often it passed in a row, up to its last run.
    pub in_a_row: usize,
    /// Whether it may leave the quarantine.
    pub may_leave: bool,
}

/// Returns a row for each entry, in their order. `runs` are the kept runs, the oldest first.
/// `needed` is how often a test has to pass in a row before it may leave.
pub fn rows(entries: &[Entry], runs: &[Vec<Ran>], needed: usize) -> Vec<Row> {
    entries.iter().map(|entry| row(entry, runs, needed)).collect()
}

fn row(entry: &Entry, runs: &[Vec<Ran>], needed: usize) -> Row {
    let of_entry = |run: &Vec<Ran>| run.iter().find(|ran| ran.is_of(entry)).map(|ran| ran.outcome);
    let outcomes: Vec<Outcome> = runs.iter().filter_map(of_entry).collect();
    let is_pass = |outcome: &Outcome| match outcome {
        Outcome::Passed => true,
        Outcome::Retried => fault!("retried-is-passed"),
        Outcome::Failed => false,
    };
    let passed = outcomes.iter().filter(|outcome| is_pass(outcome)).count();
    let in_a_row = match () {
        () if fault!("in-a-row-from-the-start") => {
            outcomes.iter().take_while(|it| is_pass(it)).count()
        }
        () if fault!("not-in-a-row") => passed,
        () => outcomes.iter().rev().take_while(|it| is_pass(it)).count(),
    };
    let absent = match fault!("absent-is-passed") {
        true => runs.iter().filter(|run| of_entry(run).is_none()).count(),
        false => 0,
    };
    let last = match fault!("last-known") {
        true => outcomes.last().copied(),
        false => runs.last().and_then(of_entry),
    };
    let enough = if fault!("one-too-many") { needed + 1 } else { needed };
    Row {
        package: entry.package.clone(),
        test: entry.test.clone(),
        last,
        ran: outcomes.len(),
        passed: if fault!("failures-forgotten") { outcomes.len() } else { passed },
        in_a_row: in_a_row + absent,
        may_leave: in_a_row + absent >= enough,
    }
}
