//! `dev done`: the definition of done, each line with its evidence.
//!
//! Invariant: a line holds only by what was seen in this call. What could not be seen does not hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use task25_report::{Outcome, Run};
use testenv::tools::process::{self, Guard, cargo};
use testenv::{Error, wait};

use crate::left::Machine;
use crate::report;
use crate::say::{self, BAD, GOOD, STRONG, count, paint};
use crate::seed::{self, SEED_VAR};
use crate::tasks::Course;

/// The variable that names the file of the streams.
const LOG_VAR: &str = "TEST_SEED_LOG";

/// `1` lets the harness's own tests try all that they promise.
const FULL_LOAD_VAR: &str = "TESTENV_FULL_LOAD";

/// The name of the program that rustdoc makes of doc tests.
const DOC_TEST: &str = "rust_out";

/// An address at which no engine answers.
const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

/// The harness: its tests run long, because they end runs in many ways.
const HARNESS: &str = "package(shared)";

/// The rest, but the command line: it needs no server, and its tests were in the plain tier.
const TASKS: &str = "not (package(shared) | package(course))";

/// The longest time for the suite of all tasks, and the time that we want.
const SUITE: (Duration, Duration) = (Duration::from_mins(3), Duration::from_mins(1));

/// Reapers wait for two seconds, and then have fifteen to remove everything.
const LEFT_LIMIT: Duration = Duration::from_secs(30);

/// The tests of the workflow: whether it runs on every push, and runs the whole suite.
const OF_THE_WORKFLOW: [&str; 2] = ["task10-ci-workflow::solution", "task22-ci-shard::solution"];

/// What `dev done` is asked for.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Compares the random values with those of a run of both tiers under `cargo test`, with the
    /// same `TEST_SEED`: the file that its `TEST_SEED_LOG` named. Otherwise, makes such a run
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
}

/// One line of the definition.
struct Line {
    what: &'static str,
    holds: bool,
    evidence: String,
}

/// Runs the suite in each tier, and shows which lines of the definition of done hold.
pub(crate) fn done(course: &Course, options: &Options) -> Result<ExitCode, Error> {
    let bench = Bench::new(course)?;
    let before = Machine::look();
    // The harness under full load is for real servers.
    let plain = bench.nextest(&[], &[("DOCKER_HOST", NO_ENGINE), (FULL_LOAD_VAR, "0")])?;
    let integration = ["--features", "integration", "-E"];
    let ours = bench.nextest(&[&integration[..], &[HARNESS]].concat(), &[])?;
    let tasks = bench.nextest(&[&integration[..], &[TASKS]].concat(), &[])?;
    let values = match &options.values {
        Some(file) => read(file)?,
        None => bench.second_run()?,
    };

    let parallelism = tasks.summary().parallelism;
    let wall = tasks.wall.unwrap_or(Duration::MAX);
    let lines = [
        passed("plain tests pass without Docker", &[&plain]),
        passed("integration tests pass on real servers", &[&ours, &tasks]),
        bench.left(&before),
        Line {
            what: "tests run side by side",
            holds: parallelism.is_some_and(|at_once| at_once > 1.0),
            evidence: parallelism
                .map_or("unknown".into(), |at_once| format!("{at_once:.1} at once on average")),
        },
        Line {
            what: "the suite of all tasks takes less than 3 minutes",
            holds: wall < SUITE.0,
            evidence: format!(
                "{} in {:.0} s{}",
                count(tasks.tests.len(), "test", "tests"),
                wall.as_secs_f64(),
                if wall <= SUITE.1 { "" } else { "; more than the 60 s that we want" }
            ),
        },
        repeated(&values, &bench.values()?, bench.seed),
        workflow(&tasks),
    ];
    say::out("");
    for Line { what, holds, evidence } in &lines {
        let verdict = if *holds { paint(GOOD, "holds    ") } else { paint(BAD, "is broken") };
        say::out(format_args!("{verdict}  {what}: {evidence}"));
    }
    let done = lines.iter().all(|line| line.holds);
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The files with what the streams gave, of the first run and of the second.
const VALUES: [&str; 2] = ["values-1", "values-2"];

/// Where the suites run, with what they may leave behind.
struct Bench<'a> {
    course: &'a Course,
    /// Their temporary directory, with [`VALUES`] beside what they leave.
    temp: tempfile::TempDir,
    seed: u64,
    /// Removes the directory if this process is killed.
    _guard: Guard,
}

impl<'a> Bench<'a> {
    fn new(course: &'a Course) -> Result<Bench<'a>, Error> {
        let temp = tempfile::Builder::new().prefix("course-done-").tempdir();
        let temp = temp.map_err(process::no_scratch)?;
        for values in VALUES {
            std::fs::write(temp.path().join(values), "").map_err(process::no_scratch)?;
        }
        Ok(Bench { course, _guard: Guard::new(temp.path())?, temp, seed: seed::any()? })
    }

    /// Runs a part of the suite, and reads what nextest wrote about it.
    fn nextest(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Run, Error> {
        let mut nextest = self.cargo(&["nextest", "run", "--profile", "ci", "--workspace"]);
        nextest.args(arguments).envs(variables.iter().copied());
        nextest.env(LOG_VAR, self.temp.path().join(VALUES[0]));
        let junit = report::written_by(self.course, "ci");
        std::fs::remove_file(&junit).ok(); // that of an earlier run would be read
        stream(&mut nextest)?;
        report::read_file(&junit)
    }

    /// The same tests under the other runner, and in another order: what its streams gave.
    fn second_run(&self) -> Result<BTreeSet<String>, Error> {
        let values = self.temp.path().join(VALUES[1]);
        for features in [&[][..], &["--features", "integration"]] {
            let mut tests = self.cargo(&["test", "--workspace", "--tests"]);
            tests.args(features).env(LOG_VAR, &values);
            if !stream(&mut tests)? {
                return Err(Error::new("the second run failed; its output is above"));
            }
        }
        read(&values)
    }

    fn cargo(&self, words: &[&str]) -> Command {
        let mut command = Command::new(cargo());
        command.args(words).current_dir(&self.course.root);
        command.env(SEED_VAR, self.seed.to_string()).env("TMPDIR", self.temp.path());
        command
    }

    fn values(&self) -> Result<BTreeSet<String>, Error> {
        read(&self.temp.path().join(VALUES[0]))
    }

    /// That nothing is left, once the reapers had their time.
    fn left(&self, before: &Machine) -> Line {
        let left = || {
            let after = Machine::look();
            let mut left = after.since(before);
            let files = std::fs::read_dir(self.temp.path()).into_iter().flatten().flatten();
            let files =
                files.filter(|file| !VALUES.iter().any(|values| file.file_name() == *values));
            left.extend(files.map(|file| format!("file {}", file.path().display())));
            left
        };
        let gone = wait::until_blocking(LEFT_LIMIT, "the end of what tests made", || {
            if left().is_empty() { Ok(()) } else { Err("more") }
        });
        let (holds, evidence) = match (before.unseen(), gone) {
            (Some(unseen), _) => (false, unseen),
            (None, Ok(())) => (
                true,
                "0 containers, networks, volumes, reapers, listening ports and temporary files"
                    .into(),
            ),
            (None, Err(_)) => (false, format!("new on this machine: {}", left().join(", "))),
        };
        Line { what: "nothing is left behind", holds, evidence }
    }
}

/// Shows what the command prints, and returns whether it succeeded.
fn stream(command: &mut Command) -> Result<bool, Error> {
    let words: Vec<String> =
        command.get_args().map(|word| say::quoted(word.to_string_lossy())).collect();
    say::note(format_args!("\n{}", paint(STRONG, format!("cargo {}", words.join(" ")))));
    let status = command.status().map_err(|e| Error::new("cannot run cargo").cause(e))?;
    Ok(status.success())
}

fn passed(what: &'static str, runs: &[&Run]) -> Line {
    let tests = runs.iter().flat_map(|run| &run.tests);
    let (passed, other): (Vec<_>, Vec<_>) = tests.partition(|test| test.outcome == Outcome::Passed);
    let names: Vec<String> =
        other.iter().map(|test| format!("{} {}", test.suite, test.name)).collect();
    let wall: Duration = runs.iter().filter_map(|run| run.wall).sum();
    let mut evidence =
        format!("{} passed in {:.0} s", count(passed.len(), "test", "tests"), wall.as_secs_f64());
    if !names.is_empty() {
        evidence += &format!("; not passed: {}", names.join(", "));
    }
    Line { what, holds: names.is_empty() && !passed.is_empty(), evidence }
}

/// That both runs drew the same values, by the name of each stream.
fn repeated<'a>(one: &'a BTreeSet<String>, other: &'a BTreeSet<String>, seed: u64) -> Line {
    let name = |line: &'a String| line.split(": ").next().unwrap_or(line);
    let different: BTreeSet<&str> = one.symmetric_difference(other).map(name).collect();
    let streams = |number| count(number, "stream", "streams");
    let evidence = if different.is_empty() {
        format!("{} of two runs with the seed {seed} gave the same values", streams(one.len()))
    } else {
        let names: Vec<&str> = different.iter().copied().collect();
        let number = streams(names.len());
        format!("with the seed {seed}, {number} gave other values: {}", names.join(", "))
    };
    Line {
        what: "one seed repeats every random value, whatever the order and the runner",
        holds: different.is_empty() && !one.is_empty(),
        evidence,
    }
}

fn workflow(tasks: &Run) -> Line {
    let of = |suite: &&str| {
        let tests = tasks.tests.iter().filter(|test| test.suite == **suite);
        let tests: Vec<_> = tests.collect();
        (!tests.is_empty() && tests.iter().all(|test| test.outcome == Outcome::Passed), tests.len())
    };
    let seen: Vec<(bool, usize)> = OF_THE_WORKFLOW.iter().map(of).collect();
    let number: usize = seen.iter().map(|(_, tests)| tests).sum();
    Line {
        what: "the workflow runs the same suite on every push",
        holds: seen.iter().all(|(holds, _)| *holds),
        evidence: format!(
            "{} of {} look at it",
            count(number, "test", "tests"),
            OF_THE_WORKFLOW.join(" and ")
        ),
    }
}

fn read(values: &Path) -> Result<BTreeSet<String>, Error> {
    let text = std::fs::read_to_string(values).map_err(|cause| {
        Error::new(format!("no values of a run: {} cannot be read", values.display()))
            .cause(cause)
            .fix(format!("{LOG_VAR}=<file> {SEED_VAR}=<seed> cargo course test-all"))
    })?;
    // nextest runs no doc tests.
    let is_of_a_doc_test = |line: &&str| line.split(' ').nth(1) == Some(DOC_TEST);
    Ok(text.lines().filter(|line| !is_of_a_doc_test(line)).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use task25_report::Test;

    use super::*;

    fn run(outcomes: &[Outcome]) -> Run {
        let test = |outcome: &Outcome| Test {
            suite: OF_THE_WORKFLOW[0].into(),
            name: "a_test".into(),
            outcome: *outcome,
            time: Some(Duration::from_secs(1)),
            retries: 0,
            repeated: None,
        };
        Run { tests: outcomes.iter().map(test).collect(), ..Run::default() }
    }

    #[test]
    fn a_tier_in_which_no_test_ran_or_one_did_not_pass_does_not_hold() {
        use Outcome::{Failed, Flaky, Passed, Skipped};

        assert!(passed("", &[&run(&[Passed]), &run(&[Passed])]).holds);
        for other in [&[][..], &[Passed, Failed], &[Passed, Flaky], &[Passed, Skipped]] {
            assert!(!passed("", &[&run(other)]).holds, "{other:?}");
        }
    }

    #[test]
    fn values_that_differ_are_named_and_no_values_prove_nothing() {
        let log = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let one: BTreeSet<String> =
            log(&["p b t stream 1: 2 numbers, ab", "p b u stream 1: 1 numbers, 7"]);
        let other = log(&["p b t stream 1: 2 numbers, cd", "p b u stream 1: 1 numbers, 7"]);

        assert!(repeated(&one, &one, 7).holds);
        assert!(!repeated(&log(&[]), &log(&[]), 7).holds);
        let differ = repeated(&one, &other, 7);
        assert!(
            !differ.holds && differ.evidence.ends_with(": p b t stream 1"),
            "{}",
            differ.evidence
        );
    }

    #[test]
    fn the_workflow_is_not_seen_if_one_of_its_suites_did_not_run() {
        let both = |first, second: Option<Outcome>| {
            let mut run = run(&[first]);
            run.tests.extend(second.map(|outcome| Test {
                suite: OF_THE_WORKFLOW[1].into(),
                outcome,
                ..run.tests[0].clone()
            }));
            workflow(&run).holds
        };
        assert!(both(Outcome::Passed, Some(Outcome::Passed)));
        assert!(!both(Outcome::Passed, None));
        assert!(!both(Outcome::Passed, Some(Outcome::Failed)));
    }
}
