//! `dev versions`: tries what the harness promises of PostgreSQL on each version that it supports.
//!
//! A version is fetched once, as a package. Its tests run in two ways: the harness starts the server
//! from the fetched programs, and a URL names a server of that version.
//!
//! Invariant: a version that cannot be fetched, or of which a way ran no test, is named as failed.

use std::process::ExitCode;
use std::time::Duration;

use testenv::Error;

use crate::libtest::{Failure, Report};
use crate::process::Run;
use crate::say::{self, BAD, GOOD, Ongoing, STRONG, count, paint, tail};
use crate::tasks::Course;
use crate::versions_ways::{Programs, Trial, Way};

/// The oldest version that has what the harness needs, and the newest that is packaged.
const SUPPORTED: std::ops::RangeInclusive<u32> = 13..=18;

/// What a test says whose server is newer than every `pg_dump` of this machine. The packages have
/// none.
const NO_DUMP: &str = "no pg_dump for the PostgreSQL server of version";

/// The options of `dev versions`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The major versions; all that are supported if none is named
    #[arg(value_name = "VERSION", value_parser = clap::value_parser!(u32).range(i64::from(*SUPPORTED.start())..=i64::from(*SUPPORTED.end())))]
    versions: Vec<u32>,
}

/// How the tests of one version went in one way.
struct Ran {
    passed: usize,
    /// Tests for which this machine has no `pg_dump`.
    without_dump: usize,
    failures: Vec<Failure>,
    /// How the process ended, if not as its tests say.
    broken: Option<String>,
    took: Duration,
}

/// Tries the versions. The exit code is 0 if all promises hold on each.
pub(crate) fn versions(course: &Course, options: &Options) -> Result<ExitCode, Error> {
    let all: Vec<u32> = SUPPORTED.collect();
    let majors = if options.versions.is_empty() { &all } else { &options.versions };
    let trial = Trial::new(course)?;
    let fetched: Vec<_> = majors.iter().map(|major| (*major, trial.fetch(*major))).collect();
    let mut failed = Vec::new();
    // Where nothing could be fetched, there is nothing to build.
    let tests = match fetched.iter().any(|(_, fetched)| fetched.is_ok()) {
        true => Some(trial.build()?),
        false => None,
    };
    for (major, fetched) in fetched {
        let holds = match (fetched, &tests) {
            (Ok(programs), Some(tests)) => try_one(&programs, |way| trial.run(tests, way)),
            (Err(error), _) => Err(error),
            (Ok(_), None) => unreachable!("what is fetched is tried"),
        };
        let holds = holds.unwrap_or_else(|error| {
            say::note(format_args!("{}: PostgreSQL {major}: {error}", paint(BAD, "error")));
            false
        });
        if !holds {
            failed.push(major.to_string());
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    say::out(format_args!("{} PostgreSQL {}", paint(BAD, "failed:"), failed.join(", ")));
    Ok(ExitCode::FAILURE)
}

/// Tries one version in both ways, and says how each went. Returns whether all promises hold.
fn try_one(
    programs: &Programs,
    run: impl Fn(&Way<'_>) -> Result<Run, Error>,
) -> Result<bool, Error> {
    let mut holds = true;
    for way in [Way::native(programs), Way::by_url(programs)] {
        let what = format!("PostgreSQL {}, {}", programs.version, way.name());
        let going_on = Ongoing::new(format!("trying {what}"));
        let ran = Ran::of(&run(&way)?);
        drop(going_on);
        for failure in &ran.failures {
            say::out(format_args!("{} {}", paint(STRONG, "failed:"), failure.test));
            say::out(tail(&failure.output, 30));
            say::out(format_args!("    again  {}", way.again(&failure.test)));
        }
        let holds_here = ran.holds();
        let how = if holds_here { paint(GOOD, "passed") } else { paint(BAD, "failed") };
        say::out(format_args!("{what}: {how}, {}", ran.text(programs.major)));
        holds &= holds_here;
    }
    Ok(holds)
}

impl Ran {
    fn of(run: &Run) -> Ran {
        let report = Report::read(&run.stdout);
        let (without_dump, failures): (Vec<_>, Vec<_>) =
            report.failures.into_iter().partition(|failure| failure.output.contains(NO_DUMP));
        let (passed, is_told) = match &report.summary {
            Some(told) => (told.passed, told.failed == without_dump.len() + failures.len()),
            None => (0, false),
        };
        Ran {
            passed,
            without_dump: without_dump.len(),
            failures,
            broken: (!is_told).then(|| format!("{}\n{}", run.ended(), tail(&run.stderr, 30))),
            took: run.took,
        }
    }

    fn holds(&self) -> bool {
        self.passed > 0 && self.failures.is_empty() && self.broken.is_none()
    }

    fn text(&self, major: u32) -> String {
        let mut text =
            format!("{} in {:.0} s", count(self.passed, "test", "tests"), self.took.as_secs_f64());
        if !self.failures.is_empty() {
            text += &format!("; {} failed", self.failures.len());
        }
        if self.without_dump > 0 {
            text += &format!(
                "; {} not tried, because this machine has no pg_dump of version {major} or newer",
                count(self.without_dump, "snapshot", "snapshots")
            );
        }
        if let Some(how) = &self.broken {
            text += &format!("; the test process {how}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn ran(stdout: &str) -> Ran {
        Ran::of(&Run {
            stdout: stdout.to_owned(),
            stderr: String::new(),
            status: Some(ExitStatus::from_raw(0)),
            left_behind: Vec::new(),
            took: Duration::from_secs(9),
            was_enough: false,
        })
    }

    fn result(passed: usize, failed: usize) -> String {
        format!(
            "test result: x. {passed} passed; {failed} failed; 0 ignored; 0 measured; 1 filtered out"
        )
    }

    #[test]
    fn a_version_of_which_no_test_ran_or_whose_process_broke_off_does_not_hold() {
        assert!(ran(&result(2, 0)).holds());
        assert!(!ran(&result(0, 0)).holds());
        assert!(!ran("test a ... ok").holds());
        assert!(!ran(&result(2, 1)).holds(), "a failure that is not told");
    }

    #[test]
    fn a_snapshot_without_a_program_is_said_and_any_other_failure_fails() {
        let failed = |name: &str, words: &str| {
            format!("test {name} ... FAILED\n\nfailures:\n\n---- {name} stdout ----\n{words}\n\n")
        };
        let lacks = ran(&format!("{}{}", failed("a", NO_DUMP), result(2, 1)));
        let fails = ran(&format!("{}{}", failed("a", "as told"), result(2, 1)));

        assert!(lacks.holds() && !fails.holds());
        assert_eq!(
            lacks.text(18),
            "2 tests in 9 s; 1 snapshot not tried, because this machine has no pg_dump of version 18 or newer"
        );
        assert_eq!(fails.text(18), "2 tests in 9 s; 1 failed");
    }
}
