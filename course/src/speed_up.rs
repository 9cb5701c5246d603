//! `shard --speed-up`: the suite whole, then all shards at once, with the time of each.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use testenv::Error;
use testenv::tools::process::{self, Guard};

use crate::runner::{NO_TESTS, Part, Runner};
use crate::say::{self, BAD, GOOD, Ongoing, paint};
use crate::tasks::Course;

/// The longest suite of ours takes a quarter of an hour on a busy machine.
const LIMIT: Duration = Duration::from_hours(1);
/// Enough to see which test failed, and so few that the times stay in sight.
const SHOWN_LINES: usize = 30;

/// Runs the whole and the parts, and prints how long each took. The exit code is 0 when all passed.
pub(crate) fn compare(
    course: &Course,
    runner: Runner,
    parts: &[Part],
    arguments: &[String],
) -> Result<ExitCode, Error> {
    let not_empty = |part: &&Part| !matches!(part, Part::Packages(names) if names.is_empty());
    for part in parts {
        runner.accept(part, arguments)?;
    }
    // Without nextest, each part is built with its own features. Nobody wants to measure that.
    for part in [Part::Whole].iter().chain(parts).filter(not_empty) {
        let mut build = runner.build(course, part, arguments);
        if !build.status().map_err(|e| Error::new("cannot run cargo").cause(e))?.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    let scratch = tempfile::tempdir().map_err(process::no_scratch)?.keep();
    let guard = Guard::new(&scratch)?;
    let timed = |mut command: Command, label: &str| -> Result<Timed, Error> {
        let start = Instant::now();
        let run = process::run(&mut command, LIMIT, Some(&guard))?;
        let took = start.elapsed();
        let nothing = run.status.and_then(|status| status.code()) == Some(NO_TESTS);
        Ok(Timed { label: label.to_owned(), took, passed: run.success(), nothing, run })
    };

    let going_on = Ongoing::new("the whole suite");
    let whole = timed(runner.run(course, &Part::Whole, arguments), "whole")?;
    drop(going_on);
    whole.show(false);
    if !whole.passed {
        return Ok(ExitCode::FAILURE);
    }

    let going_on = Ongoing::new(format!("{} shards at once", parts.len()));
    let start = Instant::now();
    let shards: Vec<Timed> = std::thread::scope(|scope| {
        let started =
            parts.iter().zip(1..).filter(|(part, _)| not_empty(part)).map(|(part, number)| {
                let label = format!("{number}/{}", parts.len());
                let (command, timed) = (runner.run(course, part, arguments), &timed);
                scope.spawn(move || timed(command, &label))
            });
        let started: Vec<_> = started.collect();
        started
            .into_iter()
            .map(|it| it.join().expect("it does not panic"))
            .collect::<Result<_, _>>()
    })?;
    let wall = start.elapsed();
    drop(going_on);

    shards.iter().for_each(|shard| shard.show(true));
    let share = 100.0 * wall.as_secs_f64() / whole.took.as_secs_f64();
    say::out(format_args!(
        "{} shards at once: {:.1} s, {share:.0} % of the whole",
        parts.len(),
        wall.as_secs_f64()
    ));
    let all_passed = shards.iter().all(|shard| shard.passed || shard.nothing);
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A run with its time.
struct Timed {
    label: String,
    took: Duration,
    passed: bool,
    /// There was no test to run. This is no failure of a shard if the whole suite has tests.
    nothing: bool,
    run: process::Run,
}

impl Timed {
    /// Prints the time, and the last lines of a run that failed.
    fn show(&self, may_be_empty: bool) {
        let empty = may_be_empty && self.nothing;
        let how = match self.passed {
            true => paint(GOOD, "passed"),
            false if empty => "empty".to_owned(),
            false => paint(BAD, "failed"),
        };
        say::out(format_args!("{}: {:.1} s, {how}", self.label, self.took.as_secs_f64()));
        if !self.passed && !empty {
            let output = format!("{}{}", self.run.stdout, self.run.stderr);
            say::note(say::tail(&output, SHOWN_LINES));
        }
    }
}
