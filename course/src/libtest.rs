//! Reads the output of libtest: how many tests ran, which tests failed, and where each failed.
//!
//! It reads the stable output for people, because the JSON output is not stable. It knows both
//! forms of the panic line: `thread 'x' panicked at`, and `thread 'x' (tid) panicked at` (since
//! Rust 1.92).

use std::collections::BTreeSet;

/// The output of one test process.
pub(crate) struct Report {
    /// The line `test result: …`; `None` when the process ended before it.
    pub(crate) summary: Option<Summary>,
    /// The tests that failed, each with what it printed.
    pub(crate) failures: Vec<Failure>,
    /// The tests whose result was printed.
    done: BTreeSet<String>,
}

/// The numbers of the line `test result: …`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
}

/// A test that failed.
pub(crate) struct Failure {
    /// Its name, `module::name`.
    pub(crate) test: String,
    /// What it printed, its panic included.
    pub(crate) output: String,
}

impl Report {
    /// Reads the standard output of a test process.
    pub(crate) fn read(stdout: &str) -> Report {
        let mut report = Report { summary: None, failures: Vec::new(), done: BTreeSet::new() };
        let mut failed = BTreeSet::new();
        let mut open: Option<Failure> = None;
        for line in stdout.lines() {
            if let Some((name, result)) = result_line(line).filter(|_| open.is_none()) {
                if result.starts_with("FAILED") {
                    failed.insert(name.to_owned());
                }
                report.done.insert(name.to_owned());
            } else if let Some(name) = section(line).filter(|name| failed.contains(*name)) {
                report
                    .failures
                    .extend(open.replace(Failure { test: name.to_owned(), output: String::new() }));
            } else if let Some(summary) = summary(line) {
                report.failures.extend(open.take());
                report.summary = Some(summary);
            } else if line == "failures:" {
                report.failures.extend(open.take());
            } else if let Some(failure) = &mut open {
                failure.output.push_str(line);
                failure.output.push('\n');
            }
        }
        report.failures.extend(open);
        report
    }

    /// The tests of `all` that have no result: they still ran when the process was stopped.
    pub(crate) fn unfinished(&self, all: &[String]) -> Vec<String> {
        all.iter().filter(|test| !self.done.contains(*test)).cloned().collect()
    }
}

impl Failure {
    /// The file in which the test failed, as the compiler was given it. `None` when the test failed
    /// without a panic.
    ///
    /// The last panic of the test's own thread decides. An earlier panic, in a task or thread of
    /// the subject, is what the test then noticed.
    pub(crate) fn file(&self) -> Option<&str> {
        let panics: Vec<(&str, &str)> = self.output.lines().filter_map(panic_line).collect();
        let own = panics.iter().rev().find(|(thread, _)| *thread == self.test || *thread == "main");
        let unkept = self
            .output
            .lines()
            .find_map(|line| line.strip_prefix("note: test did not panic as expected at "));
        unkept.map(file_of).or_else(|| own.or(panics.last()).map(|(_, place)| file_of(place)))
    }
}

/// The tests that are said to have failed, in the order of their ends. It may be half of an output.
pub(crate) fn failed(stdout: &str) -> Vec<String> {
    let results = stdout.lines().filter_map(result_line);
    let failed = results.filter(|(_, result)| result.starts_with("FAILED"));
    failed.map(|(name, _)| name.to_owned()).collect()
}

/// The names in the output of `--list --format terse`.
pub(crate) fn listed(stdout: &str) -> Vec<String> {
    stdout.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// `test name ... ok`: the name, without what libtest adds to it, and the result.
fn result_line(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let known = ["ok", "FAILED", "ignored"].iter().any(|word| result.starts_with(word));
    known.then(|| (name.strip_suffix(" - should panic").unwrap_or(name), result))
}

/// `---- name stdout ----`
fn section(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

fn summary(line: &str) -> Option<Summary> {
    let numbers = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let of = |what: &str| {
        numbers.split("; ").find_map(|part| part.strip_suffix(what)?.trim().parse().ok())
    };
    Some(Summary { passed: of("passed")?, failed: of("failed")?, ignored: of("ignored")? })
}

/// The thread and the `path:line:column` of a panic's first line.
fn panic_line(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("thread '")?;
    let (head, place) = rest.rsplit_once(" panicked at ")?;
    let thread = match head.strip_suffix('\'') {
        Some(thread) => thread,
        None => head.strip_suffix(')')?.rsplit_once("' (")?.0,
    };
    Some((thread, place.strip_suffix(':')?))
}

/// `path:line:column` without the numbers.
fn file_of(place: &str) -> &str {
    place.rsplitn(3, ':').last().unwrap_or(place)
}

#[cfg(test)]
#[path = "libtest_tests.rs"]
mod tests;
