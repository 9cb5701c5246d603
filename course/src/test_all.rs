//! `test-all`: sets up, then runs both tiers in one run. All tests share the servers of that run.
//! `test`: cargo's own, for a task.

use std::process::{Command, ExitCode};
use std::time::Instant;

use testenv::Error;

use crate::say::{self, BAD, GOOD, paint};
use crate::tasks::Course;
use crate::{faults, process, setup, suite};

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

    let run = format!("course-{}-{}", std::process::id(), crate::seed::fresh());
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

/// Runs `cargo test`. If the first word is no option, it is a task: its tests run, in the tier in which
/// it has them. The other words go to cargo.
pub(crate) fn test(
    course: &Course,
    mut words: Vec<String>,
    for_tests: Vec<String>,
) -> Result<ExitCode, Error> {
    let mut arguments = vec!["test".to_owned()];
    if words.first().is_some_and(|word| !word.starts_with('-')) {
        let task = course.find(&words.remove(0))?;
        let tier = faults::read(course, task)?.tier.typed();
        arguments.extend(["-p".to_owned(), task.name.clone()]);
        arguments.extend(tier.split_whitespace().map(str::to_owned));
    } else if !words.iter().any(|word| names_a_package(word)) {
        arguments.push("--workspace".to_owned());
    }
    arguments.extend(words);
    if !for_tests.is_empty() {
        arguments.push("--".to_owned());
        arguments.extend(for_tests);
    }
    say::note(paint(say::DIM, format_args!("cargo {}", arguments.join(" "))));
    let mut cargo = Command::new(process::cargo());
    let status = cargo.current_dir(&course.root).args(arguments).status();
    let passed = status.map_err(|e| Error::new("cannot run cargo").cause(e))?.success();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn names_a_package(word: &str) -> bool {
    (word.starts_with("-p") && !word.starts_with("--"))
        || word.split('=').next() == Some("--package")
}
