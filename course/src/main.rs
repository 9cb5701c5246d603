//! `cargo course`: the learner's command line.
//!
//! It leads through the tasks, grades what the learner writes, and provides the servers that the
//! tests need.

// The course: what the tasks say.
mod faults;
mod requirements;
mod tasks;

// Grading: a suite is built, run, and judged.
mod check;
mod done;
mod grade;
mod grading;
mod lanes;
mod left;
mod libtest;
mod promises;
mod seed;
mod suite;
mod teller;
mod trial;

// The tasks: proved, timed, begun.
mod dev;
mod new;
mod shams;
mod times;

// The harness: what it costs to build, and the versions of its servers.
mod costs;
mod versions;
mod versions_ways;

// The hunt: one test, run until it fails.
mod hunt;
mod hunt_find;
mod hunt_load;
mod hunt_rate;
mod hunt_round;

// The learner: what was done, what is next.
mod learn;
mod progress;
mod reset;
mod terminal;
mod watch;

// The source: what is asked of every line.
mod lint;
mod workflows;

// The runs: how long the tests take.
mod kept;
mod quarantine;
mod report;

// A suite that several jobs share.
mod runner;
mod shard;
mod speed_up;

// The machine: what the course needs beside what the harness provides.
mod setup;
mod test_all;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use testenv::Error;
use testenv::tools::{self, process, say};

use crate::learn::Learner;
use crate::tasks::Course;

const EXIT_CODES: &str = "\
Exit codes:
  0  done: the task is complete, everything can be served, all tests passed
  1  not yet: faults survive, a right program is refused, something is missing
  2  a wrong command line, or an environment in which the command cannot do its work

A task is meant by its name (task07-kafka), its number (7) or its noun (kafka).
Without one, the task in whose folder you are is meant, or the first that is not complete.
";

const SHARD_EXAMPLES: &str = "\
Examples:
  cargo course shard 1/2 --list
  cargo course shard 1/2 -- --features integration
  cargo course shard 2/2 --timings target/nextest/ci/junit.xml
  cargo course shard 1/4 --by test
  cargo course shard --speed-up 2
";

/// Where you are in the course, and what to type next
#[derive(Parser)]
#[command(name = "cargo course", bin_name = "cargo course", after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    word: Option<Word>,
}

#[derive(Subcommand)]
enum Word {
    /// Shows all tasks and how far you are in each
    List,
    /// Grades your tests: they must accept right programs and catch wrong ones
    #[command(after_help = EXIT_CODES)]
    Check {
        task: Option<String>,
        #[command(flatten)]
        options: check::Options,
    },
    /// Checks a task whenever you save a file of its tests
    Watch {
        task: Option<String>,
        /// Options for each check
        #[arg(last = true)]
        for_checks: Vec<String>,
    },
    /// Shows what is known about the faults of a task, without giving them away
    Faults { task: Option<String> },
    /// Gives a hint for the first fault that survives; the second time, tells all about it
    Hint {
        task: Option<String>,
        /// Gives it for the fault with this number
        #[arg(long, value_name = "NUMBER")]
        fault: Option<usize>,
    },
    /// Tells the story of each fault that your tests caught
    Story { task: Option<String> },
    /// Shows the finished tests of a task
    Solution {
        task: Option<String>,
        /// Shows them even if the task is not complete
        #[arg(long)]
        show: bool,
    },
    /// Puts your file back as it was given, and keeps a copy of what you wrote
    Reset {
        task: Option<String>,
        /// Takes it from this commit or branch
        #[arg(long, value_name = "REFERENCE")]
        from: Option<String>,
    },
    /// Shows the next task
    Next,
    /// Runs one test again and again, until it fails
    #[command(after_help = hunt::EXIT_CODES)]
    Hunt(hunt::Options),
    /// Shows what would serve each service here, and the cure for each gap
    Doctor,
    /// Provides the images that the tests on real servers need
    Setup {
        /// Also installs what is missing and starts the Docker engine (Debian, Ubuntu)
        #[arg(long)]
        install: bool,
        /// Takes images from the files of this folder, and keeps them there (for the cache of a CI)
        #[arg(long, value_name = "FOLDER")]
        images: Option<PathBuf>,
    },
    /// Runs `cargo test` for a task in its tier, or for the whole workspace
    Test {
        /// A task, then what cargo takes
        #[arg(allow_hyphen_values = true)]
        words: Vec<String>,
        /// What the test programs take
        #[arg(last = true)]
        for_tests: Vec<String>,
    },
    /// Sets up, then runs all tests of the workspace, in both tiers
    TestAll {
        /// Also installs what is missing and starts the Docker engine (Debian, Ubuntu)
        #[arg(long)]
        install: bool,
    },
    /// Checks the list of flaky tests that do not block; with --run, runs these tests
    #[command(after_help = quarantine::EXIT_CODES)]
    Quarantine(quarantine::Options),
    /// Shows the slowest tests of a run under nextest, median, P95, parallelism and trend
    #[command(after_help = report::EXIT_CODES)]
    Report(report::Options),
    /// Runs one part of the suite, so that several jobs share it; or measures what that is worth
    ///
    /// A package or a test is in exactly one shard. nextest runs the shard if it is there, otherwise
    /// `cargo test`. nextest runs no doc tests: one job runs them with `cargo test --doc`.
    #[command(after_help = SHARD_EXAMPLES)]
    Shard(shard::Options),
    /// The servers that are kept between runs (`TESTENV_REUSE=1`)
    #[command(subcommand)]
    Reuse(ReuseWord),
    /// For those who write tasks
    #[command(subcommand)]
    Dev(DevWord),
}

#[derive(Subcommand)]
enum ReuseWord {
    /// Lists the servers
    List,
    /// Stops the servers and removes what is on them
    Stop,
}

#[derive(Subcommand)]
enum DevWord {
    /// Proves that the tasks are sound: exercises and sham suites catch nothing, solutions catch
    /// everything
    Check {
        tasks: Vec<String>,
        #[command(flatten)]
        options: dev::Options,
    },
    /// Writes the skeleton of a new task
    New {
        /// Its number
        number: u32,
        /// Its noun, as in `task07-kafka`
        noun: String,
    },
    /// Runs all checks that every line must pass: format, clippy, documentation, licences
    Lint {
        /// Also builds cargo-deny if it is missing
        #[arg(long)]
        install: bool,
    },
    /// Runs the suite in both tiers, and shows the definition of done, each line with its evidence
    Done(done::Options),
    /// Measures what each feature of the harness costs to build, beside testcontainers and the same client
    Costs(costs::Options),
    /// Tries what the harness promises of PostgreSQL on its versions 13 to 18, each fetched once
    Versions(versions::Options),
}

fn main() -> ExitCode {
    run(Cli::parse()).unwrap_or_else(|error| {
        say::note(format_args!("{}: {error}", say::paint(say::BAD, "error")));
        ExitCode::from(2)
    })
}

fn run(cli: Cli) -> Result<ExitCode, Error> {
    let course = Course::open()?;
    let task = |word: Option<String>| Learner::of(&course)?.task(&course, word.as_deref());
    match cli.word {
        None => {
            tasks::warn_of_a_space(&course.root);
            learn::here(&course)
        }
        Some(Word::List) => learn::list(&course),
        Some(Word::Check { task: word, options }) => check::check(&course, task(word)?, &options),
        Some(Word::Watch { task: word, for_checks }) => {
            watch::watch(&course, task(word)?, &for_checks)
        }
        Some(Word::Faults { task: word }) => learn::faults(&course, task(word)?),
        Some(Word::Hint { task: word, fault }) => learn::hint(&course, task(word)?, fault),
        Some(Word::Story { task: word }) => learn::story(&course, task(word)?),
        Some(Word::Test { words, for_tests }) => test_all::test(&course, words, for_tests),
        Some(Word::Solution { task: word, show }) => learn::solution(&course, task(word)?, show),
        Some(Word::Reset { task: word, from }) => {
            reset::reset(&course, task(word)?, from.as_deref())
        }
        Some(Word::Next) => learn::next(&course),
        Some(Word::Hunt(options)) => hunt::hunt(&course, &options),
        Some(Word::Doctor) => {
            tasks::warn_of_a_space(&course.root);
            Ok(tools::doctor())
        }
        Some(Word::Setup { install, images }) => setup::setup(&course, install, images),
        Some(Word::TestAll { install }) => test_all::test_all(&course, install),
        Some(Word::Quarantine(options)) => quarantine::quarantine(&course, &options),
        Some(Word::Report(options)) => report::report(&course, &options),
        Some(Word::Shard(options)) => shard::shard(&course, &options),
        Some(Word::Reuse(ReuseWord::List)) => tools::reuse_list(),
        Some(Word::Reuse(ReuseWord::Stop)) => tools::reuse_stop(),
        Some(Word::Dev(DevWord::Check { tasks, options })) => dev::check(&course, &tasks, &options),
        Some(Word::Dev(DevWord::New { number, noun })) => new::new(&course, number, &noun),
        Some(Word::Dev(DevWord::Lint { install })) => lint::lint(&course, install),
        Some(Word::Dev(DevWord::Done(options))) => done::done(&course, &options),
        Some(Word::Dev(DevWord::Costs(options))) => costs::costs(&course, &options),
        Some(Word::Dev(DevWord::Versions(options))) => versions::versions(&course, &options),
    }
}
