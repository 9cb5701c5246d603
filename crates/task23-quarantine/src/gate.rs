//! The gate: what is wrong with the quarantine, and which failures block.

use std::fmt;

use testenv::fault;

use crate::{Date, Entry, Outcome, Ran};

/// A test of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The package of the test.
    pub package: String,
    /// The whole name of the test.
    pub test: String,
    /// Whether the test is compiled only with the feature `flaky`.
    pub is_behind_flaky: bool,
}

/// What is wrong with a quarantine. Each has the package and the name of the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The test has two entries.
    Twice(String, String),
    /// The last day in quarantine has passed.
    Expired(String, String, Date),
    /// There is no such test.
    Unknown(String, String),
    /// The test is compiled without the feature `flaky`, so it blocks like any other.
    StillBlocks(String, String),
    /// The test is behind the feature `flaky`, and has no entry.
    Unlisted(String, String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Twice(package, test) => write!(f, "{package} {test} has two entries"),
            Problem::Expired(package, test, until) => {
                write!(f, "{package} {test} was in quarantine until {until}: mend it or remove it")
            }
            Problem::Unknown(package, test) => {
                write!(f, "{package} {test} is in quarantine, and there is no such test")
            }
            Problem::StillBlocks(package, test) => {
                write!(f, "{package} {test} is in quarantine, and is not behind the feature flaky")
            }
            Problem::Unlisted(package, test) => {
                write!(f, "{package} {test} is behind the feature flaky, and has no entry")
            }
        }
    }
}

/// Returns what is wrong with the entries on this day, in any order. Empty if the gate is open.
pub fn check(entries: &[Entry], known: &[Known], today: Date) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let (package, test) = (entry.package.clone(), entry.test.clone());
        if !fault!("twice-is-fine") && entries[..at].iter().any(|other| is_same(other, entry)) {
            problems.push(Problem::Twice(package.clone(), test.clone()));
        }
        let is_over = match fault!("expires-a-day-early") {
            true => entry.until <= today,
            false => entry.until < today,
        };
        if is_over && !fault!("never-expires") {
            problems.push(Problem::Expired(package.clone(), test.clone(), entry.until));
        }
        match known.iter().find(|known| is_of(known, entry)) {
            None if fault!("ghosts-stay") => {}
            None => problems.push(Problem::Unknown(package, test)),
            Some(known) if !known.is_behind_flaky && !fault!("blocks-all-the-same") => {
                problems.push(Problem::StillBlocks(package, test));
            }
            Some(_) => {}
        }
        if fault!("first-problem-only") && !problems.is_empty() {
            return problems;
        }
    }
    let hidden = known.iter().filter(|known| known.is_behind_flaky);
    let unlisted = hidden.filter(|known| !entries.iter().any(|entry| is_of(known, entry)));
    if !fault!("hidden-without-an-entry") {
        problems.extend(
            unlisted.map(|known| Problem::Unlisted(known.package.clone(), known.test.clone())),
        );
    }
    if fault!("in-another-order") {
        problems.reverse();
    }
    problems
}

/// Returns the failures of a run that block: those of tests that are not in quarantine.
pub fn blocking<'r>(entries: &[Entry], run: &'r [Ran]) -> Vec<&'r Ran> {
    let failed = run.iter().filter(|ran| match fault!("flaky-passes") {
        true => ran.outcome == Outcome::Failed,
        false => ran.outcome != Outcome::Passed,
    });
    failed
        .filter(|ran| fault!("quarantine-blocks") || !entries.iter().any(|it| ran.is_of(it)))
        .collect()
}

fn is_same(one: &Entry, other: &Entry) -> bool {
    one.test == other.test && one.package == other.package
}

fn is_of(known: &Known, entry: &Entry) -> bool {
    let is_named = match fault!("by-the-last-name") {
        true => known.test.rsplit("::").next() == entry.test.rsplit("::").next(),
        false => known.test == entry.test,
    };
    is_named && (fault!("any-package") || known.package == entry.package)
}
