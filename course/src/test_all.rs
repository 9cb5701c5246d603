//! `test-all`: sets up, then runs both tiers in one run. All tests share the servers of that run.

use std::process::ExitCode;
use std::time::Instant;

use testenv::Error;

use crate::say::{self, BAD, GOOD, paint};
use crate::tasks::Course;
use crate::{setup, suite};

/// Runs every step, shows how each ended, and fails when one failed. Without its servers the
/// integration tier is not run, which counts as a failure too.
pub(crate) fn test_all(course: &Course, install: bool) -> Result<ExitCode, Error> {
    let start = Instant::now();
    let provided = match setup::setup(course, install, None) {
        Ok(code) => code == ExitCode::SUCCESS,
        Err(error) => {
            say::note(format_args!("{}: {error}", paint(BAD, "error")));
            false
        }
    };
    let mut steps = vec![("cargo course setup", provided, Some(start.elapsed()))];

    let run = format!("course-{}-{}", std::process::id(), crate::grade::fresh_seed());
    let _guard = testenv::tools::hold_open(&run)?;
    for (command, can_run) in [
        ("cargo test --workspace", true),
        ("cargo test --workspace --features integration", provided),
    ] {
        if !can_run {
            steps.push((command, false, None));
            continue;
        }
        let start = Instant::now();
        say::note(format_args!("\n{}", paint(say::STRONG, command)));
        let arguments: Vec<&str> = command.split(' ').skip(1).collect();
        let passed = suite::stream(course, &arguments, &run)?;
        steps.push((command, passed, Some(start.elapsed())));
    }

    say::out("");
    for (command, passed, took) in &steps {
        say::out(match took {
            Some(took) if *passed => {
                format!("{command}: {} ({} s)", paint(GOOD, "passed"), took.as_secs())
            }
            Some(took) => format!("{command}: {} ({} s)", paint(BAD, "failed"), took.as_secs()),
            None => format!("{command}: {}", paint(BAD, "not run, for its servers are missing")),
        });
    }
    Ok(if steps.iter().all(|(_, passed, _)| *passed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
