//! `shard`: lists or runs one part of the suite, so that several jobs share it.
//!
//! Invariant: for the same workspace, options and report, every test is in exactly one of the shards.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::ValueEnum;
use serde::Deserialize;
use task14_shard::{Shard, ShardError, Timings, balance, package_timings, split};
use testenv::Error;
use testenv::fault::FAULT_VAR;
use testenv::tools::process::cargo;

use crate::runner::{NO_TESTS, Part, Runner};
use crate::say::{self, BAD, paint};
use crate::speed_up;
use crate::tasks::Course;

/// What to split, how, and which part is meant.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The shard: `1/2` is the first of two
    #[arg(required_unless_present = "speed_up", conflicts_with = "speed_up")]
    shard: Option<Shard>,
    /// Shows what is in the shard, and runs nothing
    #[arg(long)]
    list: bool,
    /// What is split: whole packages, or single tests as nextest splits them
    #[arg(long, value_enum, default_value = "package")]
    by: By,
    /// Balances the packages by their times in this report of nextest, a `junit.xml`; all shards need
    /// the same file
    #[arg(long, value_name = "FILE")]
    timings: Option<PathBuf>,
    /// Runs the suite whole, then in so many shards at once, and compares
    #[arg(long, value_name = "SHARDS", conflicts_with = "list", value_parser = clap::value_parser!(u16).range(2..))]
    speed_up: Option<u16>,
    /// What the runner is told: arguments of `cargo nextest run`, or of `cargo test` without nextest
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Package,
    Test,
}

/// Lists or runs a shard, or compares the shards with the whole.
pub(crate) fn shard(course: &Course, options: &Options) -> Result<ExitCode, Error> {
    if std::env::var_os(FAULT_VAR).is_some() {
        // The functions that split are the subject of task 14, and make the mistakes of its lesson.
        return Err(Error::new(format!("{FAULT_VAR} is set, so this split could lose tests"))
            .fix(format!("unset {FAULT_VAR}")));
    }
    if options.by == By::Test && options.timings.is_some() {
        return Err(Error::new("`--timings` balances packages, not tests")
            .fix("leave out `--by test`, or leave out `--timings`"));
    }
    let arguments = &options.arguments;
    if let Some(of) = options.speed_up {
        let parts = parts(course, options, of)?;
        return speed_up::compare(course, Runner::find(course), &parts, arguments);
    }
    let shard = options.shard.expect("clap requires it without `--speed-up`");
    let part = match options.by {
        By::Test => Part::Tests(shard),
        By::Package => {
            parts(course, options, shard.of())?.swap_remove(usize::from(shard.number()) - 1)
        }
    };
    if let Part::Packages(names) = &part {
        let how = if options.timings.is_some() { "by time" } else { "by hash" };
        let number = say::count(names.len(), "package", "packages");
        say::note(format_args!("shard {shard}, {how}: {number}"));
        if options.list {
            names.iter().for_each(say::out);
            return Ok(ExitCode::SUCCESS);
        }
    }
    let runner = Runner::find(course);
    runner.accept(&part, arguments)?;
    if options.list {
        let status = runner.list(course, &part, arguments).status().map_err(no_cargo)?;
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if matches!(&part, Part::Packages(names) if names.is_empty()) {
        say::out(format_args!("shard {shard} is empty: every package is in another shard"));
        return Ok(ExitCode::SUCCESS);
    }
    match ran(runner, runner.run(course, &part, arguments))? {
        Ran::Passed => Ok(ExitCode::SUCCESS),
        Ran::Failed => Ok(ExitCode::FAILURE),
        Ran::Nothing if has_tests(runner, course, arguments)? => {
            say::out(format_args!("shard {shard} is empty: every test is in another shard"));
            Ok(ExitCode::SUCCESS)
        }
        Ran::Nothing => {
            let error = Error::new("there is no test to run, in this shard or in any other");
            let error = error.fix("correct the filter or the features behind `--`");
            say::note(format_args!("{}: {error}", paint(BAD, "error")));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// All parts of so many, in their order.
fn parts(course: &Course, options: &Options, of: u16) -> Result<Vec<Part>, Error> {
    if options.by == By::Test {
        let shard = |number| format!("{number}/{of}").parse().map(Part::Tests);
        return (1..=of).map(shard).collect::<Result<_, _>>().map_err(wrong_shard);
    }
    let names = packages(course)?;
    let lists = match &options.timings {
        Some(file) => balance(&names, &timings(file)?, of),
        None => split(&names, of),
    };
    Ok(lists.map_err(wrong_shard)?.into_iter().map(Part::Packages).collect())
}

fn wrong_shard(error: ShardError) -> Error {
    Error::new(error.to_string()).fix("cargo course shard 1/2")
}

/// The time of each package in the last report. This is the only place that knows its format.
fn timings(file: &Path) -> Result<Timings, Error> {
    let unread = |cause: &dyn std::fmt::Display| {
        // Without the file we could split by hash. But a job that has the file would split by time.
        Error::new(format!("cannot read the report {}", file.display()))
            .cause(cause)
            .fix(
                "cargo nextest run --profile ci --workspace; it writes target/nextest/ci/junit.xml",
            )
            .fix("leave out `--timings` in all jobs; then the packages are split by hash")
    };
    let text = std::fs::read_to_string(file).map_err(|e| unread(&e))?;
    package_timings(&text).map_err(|e| unread(&e))
}

/// The part of cargo's answer that matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

/// The names of all packages of the workspace, sorted.
fn packages(course: &Course) -> Result<Vec<String>, Error> {
    let mut metadata = Command::new(cargo());
    metadata.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(&course.root);
    let output = metadata.stderr(Stdio::inherit()).output().map_err(no_cargo)?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|e| {
        Error::new("cargo does not say which packages there are").cause(e).fix("cargo metadata")
    })?;
    let mut names: Vec<String> = metadata.packages.into_iter().map(|it| it.name).collect();
    names.sort();
    Ok(names)
}

enum Ran {
    Passed,
    Failed,
    Nothing,
}

/// Runs the command and shows what it prints. `cargo test` passes when there is no test; its output
/// says how many there were.
fn ran(runner: Runner, mut command: Command) -> Result<Ran, Error> {
    if runner == Runner::Nextest {
        let status = command.status().map_err(no_cargo)?;
        return Ok(match status.code() {
            Some(0) => Ran::Passed,
            Some(NO_TESTS) => Ran::Nothing,
            _ => Ran::Failed,
        });
    }
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(no_cargo)?;
    let mut tests = 0;
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line.map_err(no_cargo)?;
        tests += announced(&line);
        say::out(line);
    }
    let status = child.wait().map_err(no_cargo)?;
    Ok(match status.success() {
        true if tests == 0 => Ran::Nothing,
        true => Ran::Passed,
        false => Ran::Failed,
    })
}

/// The number of tests that libtest announces in this line. With a filter, libtest announces only
/// what passes the filter.
fn announced(line: &str) -> usize {
    let number = line.strip_prefix("running ").and_then(|rest| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Whether the whole suite has a test, with these arguments. If the runner cannot list with them, the
/// answer is no: a shard that may have lost its tests must not pass.
fn has_tests(runner: Runner, course: &Course, arguments: &[String]) -> Result<bool, Error> {
    let mut list = runner.list(course, &Part::Whole, arguments);
    let output = list.stdin(Stdio::null()).output().map_err(no_cargo)?;
    let listed = String::from_utf8_lossy(&output.stdout);
    let is_test = |line: &str| match runner {
        Runner::Nextest => !line.trim().is_empty(),
        Runner::CargoTest => line.ends_with(": test"),
    };
    Ok(output.status.success() && listed.lines().any(is_test))
}

fn no_cargo(error: std::io::Error) -> Error {
    Error::new("cannot run cargo").cause(error)
}
