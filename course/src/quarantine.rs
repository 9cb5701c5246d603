//! `quarantine`: the gate of `.config/quarantine.toml`, and the runs of its tests, which block nobody.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use task23_quarantine::{Date, Entry, Known, Outcome, Ran, Row, check, read, rows};
use testenv::Error;

use crate::hunt_find::{Program, program};
use crate::kept::Kept;
use crate::libtest::listed;
use crate::process::cargo;
use crate::say::{self, BAD, GOOD, Ongoing, count, paint};
use crate::suite::{self, Bench, Refused};
use crate::tasks::Course;

const FILE: &str = ".config/quarantine.toml";

/// The feature behind which tests in quarantine are.
const FEATURE: &str = "flaky";

/// What the exit codes of `cargo course quarantine` mean.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  nothing is wrong with the entries; with --run: the tests ran, however they ended
  1  an entry has expired, its test does not exist, or a test behind the feature has no entry
  2  the file cannot be read, or the tests cannot be built
";

/// What `cargo course quarantine` is asked for.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Runs the tests in quarantine, and keeps how they ended; nothing of it blocks
    #[arg(long)]
    run: bool,
    /// A test that has passed so often in a row is proposed for release
    #[arg(long, value_name = "TIMES", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    needed: u32,
    /// Stops a test after so many seconds, and counts it as failed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

/// The tests that ran at one time.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Round {
    at: jiff::Timestamp,
    ran: Vec<Ran>,
}

/// A test and the program that has it.
struct Test {
    program: usize,
    name: String,
}

/// Checks the quarantine, or runs its tests.
pub(crate) fn quarantine(course: &Course, options: &Options) -> Result<ExitCode, Error> {
    let entries = entries(course)?;
    let bench = Bench::new(Duration::from_secs(options.limit))?;
    let packages = packages(course, &entries)?;
    let hidden = match tests(course, &bench, &packages, true)? {
        Ok(hidden) => hidden,
        Err(Refused(words)) => return Err(does_not_compile(&words)),
    };
    let kept = Kept::of(&course.root, "quarantine.jsonl");
    if options.run {
        let round = Round { at: jiff::Timestamp::now(), ran: run(&bench, &hidden, &entries)? };
        kept.add(&round, None)?;
        show(course, &kept, &entries, options)?;
        return Ok(ExitCode::SUCCESS);
    }
    let usual = match tests(course, &bench, &packages, false)? {
        Ok((programs, tests)) => names(&programs, &tests),
        Err(Refused(words)) => return Err(does_not_compile(&words)),
    };
    let known = names(&hidden.0, &hidden.1).into_iter().map(|(package, test)| {
        let is_behind_flaky = !usual.contains(&(package.clone(), test.clone()));
        Known { package, test, is_behind_flaky }
    });
    let problems = check(&entries, &known.collect::<Vec<_>>(), today());
    show(course, &kept, &entries, options)?;
    for problem in &problems {
        say::out(format_args!("{} {problem}", paint(BAD, "off:")));
    }
    if problems.is_empty() {
        let number = count(entries.len(), "test", "tests");
        say::out(paint(GOOD, format!("nothing is wrong with the quarantine: {number}")));
        return Ok(ExitCode::SUCCESS);
    }
    say::out(format_args!("  to fix: edit {FILE}"));
    Ok(ExitCode::FAILURE)
}

/// The names by which a report knows the tests of this run that are in quarantine.
pub(crate) fn names_in(course: &Course, run: &task25_report::Run) -> Result<Vec<String>, Error> {
    let entries = entries(course)?;
    let is_of = |test: &&task25_report::Test| {
        entries.iter().any(|entry| {
            let rest = test.suite.strip_prefix(&entry.package);
            let is_package = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
            is_package && test.name == entry.test
        })
    };
    let tests = run.tests.iter().filter(is_of);
    Ok(tests.map(|test| format!("{} {}", test.suite, test.name)).collect())
}

/// The day in Greenwich. An entry ends on the same day for everybody.
fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn entries(course: &Course) -> Result<Vec<Entry>, Error> {
    match std::fs::read_to_string(course.root.join(FILE)) {
        Ok(text) => read(&text).map_err(|malformed| {
            Error::new(malformed.to_string())
                .fix(format!("edit {FILE}; the lesson of task 23 shows an entry"))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::new(format!("{FILE} cannot be read")).cause(error)),
    }
}

/// A package, and whether it has the feature.
struct Package {
    name: String,
    is_behind: bool,
}

/// The packages with tests behind the feature, and those of the entries.
fn packages(course: &Course, entries: &[Entry]) -> Result<Vec<Package>, Error> {
    let mut metadata = Command::new(cargo());
    metadata.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(&course.root);
    let unknown =
        || Error::new("cargo does not say which packages there are").fix("cargo metadata");
    let output = metadata.output().map_err(|e| unknown().cause(e))?;
    let all: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|e| unknown().cause(e))?;
    let packages = all["packages"].as_array().into_iter().flatten();
    let package = |package: &serde_json::Value| {
        let name = package["name"].as_str()?.to_owned();
        let is_behind = package["features"].get(FEATURE).is_some();
        let is_named = entries.iter().any(|entry| entry.package == name);
        (is_behind || is_named).then_some(Package { name, is_behind })
    };
    Ok(packages.filter_map(package).collect())
}

type Tests = (Vec<Program>, Vec<Test>);

/// Builds the tests of the packages, with or without what is behind the feature, and lists them.
fn tests(
    course: &Course,
    bench: &Bench,
    packages: &[Package],
    with_feature: bool,
) -> Result<Result<Tests, Refused>, Error> {
    if packages.is_empty() {
        return Ok(Ok((Vec::new(), Vec::new())));
    }
    let features: Vec<String> = packages
        .iter()
        .filter(|package| with_feature && package.is_behind)
        .map(|package| format!("{}/{FEATURE}", package.name))
        .collect();
    let features = features.join(",");
    let mut arguments = vec!["--features", &features];
    arguments.extend(packages.iter().flat_map(|package| ["--package", &package.name]));
    let _going_on = Ongoing::new("building the tests");
    let artifacts = match suite::artifacts(&course.root, &arguments, &bench.guard)? {
        Ok(artifacts) => artifacts,
        Err(refused) => return Ok(Err(refused)),
    };
    let built = artifacts.into_iter().filter(|artifact| artifact.profile.test);
    let programs: Vec<Program> = built
        .filter_map(|artifact| program(course, artifact, None).transpose())
        .collect::<Result<_, _>>()?;
    let mut tests = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        let list = bench.run(&program.suite, &["--list", "--format", "terse"], &[])?;
        tests.extend(listed(&list.stdout).into_iter().map(|name| Test { program: number, name }));
    }
    Ok(Ok((programs, tests)))
}

fn names(programs: &[Program], tests: &[Test]) -> BTreeSet<(String, String)> {
    let package = |test: &Test| programs[test.program].suite.package.clone();
    tests.iter().map(|test| (package(test), test.name.clone())).collect()
}

fn does_not_compile(words: &str) -> Error {
    say::note(words);
    Error::new("the tests do not compile; the compiler's words stand above")
}

/// Runs the tests in quarantine, each in a process of its own, and shows what a failed one says.
fn run(bench: &Bench, (programs, tests): &Tests, entries: &[Entry]) -> Result<Vec<Ran>, Error> {
    let mut all = Vec::new();
    for entry in entries {
        let is_of = |test: &&Test| {
            test.name == entry.test && programs[test.program].suite.package == entry.package
        };
        let Some(test) = tests.iter().find(is_of) else {
            say::note(format_args!("{} {} does not exist", entry.package, entry.test));
            continue;
        };
        let suite = &programs[test.program].suite;
        let seed = crate::seed::any()?.to_string();
        let ran = bench.run(suite, &["--exact", &test.name], &[("TEST_SEED", &seed)])?;
        let outcome = if ran.success() { Outcome::Passed } else { Outcome::Failed };
        if outcome == Outcome::Failed {
            say::note(say::tail(&format!("{}{}", ran.stdout, ran.stderr), 20));
            let typed = &programs[test.program].typed;
            say::note(format_args!(
                "    again  TEST_SEED={seed} cargo test {typed} --features {FEATURE} -- --exact {}",
                test.name
            ));
        }
        let (package, test) = (entry.package.clone(), entry.test.clone());
        all.push(Ran { package, test, outcome });
    }
    Ok(all)
}

/// Shows how each test in quarantine did, by what is kept.
fn show(
    course: &Course,
    kept: &Kept<Round>,
    entries: &[Entry],
    options: &Options,
) -> Result<(), Error> {
    let earlier = kept.read()?;
    for line in &earlier.unreadable {
        say::note(format_args!("{}, line {line}: not a run, left out", kept.path().display()));
    }
    let runs: Vec<Vec<Ran>> = earlier.runs.into_iter().map(|round| round.ran).collect();
    for (row, entry) in rows(entries, &runs, options.needed as usize).iter().zip(entries) {
        say::out(line(row, entry));
    }
    if entries.is_empty() {
        let root = course.root.join(FILE);
        say::out(format_args!("no test is in quarantine ({})", root.display()));
    }
    Ok(())
}

fn line(row: &Row, entry: &Entry) -> String {
    let last = match row.last {
        Some(Outcome::Passed) => paint(GOOD, "passed").to_string(),
        Some(Outcome::Retried) => paint(BAD, "passed on a retry").to_string(),
        Some(Outcome::Failed) => paint(BAD, "failed").to_string(),
        None => "did not run".to_owned(),
    };
    let leave = if row.may_leave { ": it may leave" } else { "" };
    format!(
        "{} {}: {last}; passed {} of {}, {} in a row{leave} (until {}, {})",
        row.package, row.test, row.passed, row.ran, row.in_a_row, entry.until, entry.owner
    )
}
