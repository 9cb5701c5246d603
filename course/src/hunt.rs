//! `hunt`: runs one test again and again, until it fails, and says how often that is.
//!
//! Invariant: a round counts only if the hunted test ran in it. What the hunt starts ends with the
//! hunt, however the hunt ends.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use testenv::Error;

use crate::hunt_find::{self, Found, Wanted};
use crate::hunt_load::Load;
use crate::hunt_rate::rate;
use crate::hunt_round::{Mode, Round};
use crate::lanes;
use crate::say::{self, BAD, GOOD, Ongoing, STRONG, count, paint, tail};
use crate::suite::{Bench, Refused};
use crate::tasks::Course;

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  no round failed
  1  a round failed
  2  the test cannot be found, built or run
";

/// The options of a hunt.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    wanted: Wanted,
    /// Runs the test so many times
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Runs so many rounds at once [default: three for each core]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: Option<u32>,
    /// Makes a hidden flake show; may be given several times
    #[arg(long = "mode", value_enum, value_name = "MODE")]
    modes: Vec<Mode>,
    /// Does not stop at the first failure, so the rate is exact
    #[arg(long)]
    all: bool,
    /// Stops a round after so many seconds, and counts it as failed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

/// The failures shown in one line each, after the first. More would hide the rate.
const SHOWN: usize = 5;

/// Hunts one test. The exit code is 0 when no round failed, otherwise 1.
pub(crate) fn hunt(course: &Course, options: &Options) -> Result<ExitCode, Error> {
    let bench = Bench::new(Duration::from_secs(options.limit))?;
    let built = match hunt_find::build(course, &bench, &options.wanted)? {
        Ok(built) => built,
        Err(Refused(words)) => {
            say::note(words);
            say::note("the tests do not compile; the compiler's words stand above");
            return Ok(ExitCode::from(2));
        }
    };
    let found = hunt_find::find(course, &bench, built, &options.wanted)?;
    let lanes = options.at_once.map_or_else(lanes::lanes, |number| number as usize);
    say::out(format_args!(
        "hunting {} in {}: {}, {lanes} at once{}",
        paint(STRONG, &found.test),
        found.typed,
        count(options.rounds as usize, "round", "rounds"),
        options.modes.iter().map(|mode| format!(", {}", mode.name())).collect::<String>()
    ));

    let rounds = run(&bench, &found, options, lanes)?;

    let failed: Vec<&Round> = rounds.iter().filter(|round| round.failure.is_some()).collect();
    show_failures(&found, options, &failed);
    show_neighbours(&rounds);
    let style = if failed.is_empty() { GOOD } else { BAD };
    say::out(paint(style, rate(failed.len(), rounds.len())));
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the rounds and returns those that were run, in the order in which they began.
fn run(bench: &Bench, found: &Found, options: &Options, lanes: usize) -> Result<Vec<Round>, Error> {
    let _load = Load::start(&options.modes, bench.scratch.path())?;
    let going_on = Ongoing::announced(format!("hunting {}", found.test));
    let (stop, done, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let numbers: Vec<u32> = (1..=options.rounds).collect();
    let rounds = lanes::at_once(lanes, &numbers, |number| {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let round = Round::run(bench, found, &options.modes, *number)?;
        if round.failure.is_some() {
            failed.fetch_add(1, Ordering::Relaxed);
            stop.fetch_or(!options.all, Ordering::Relaxed);
        }
        going_on.now(format!(
            "hunting {}: {} of {} rounds, {} failed",
            found.test,
            done.fetch_add(1, Ordering::Relaxed) + 1,
            options.rounds,
            failed.load(Ordering::Relaxed)
        ));
        Ok(Some(round))
    })?;
    Ok(rounds.into_iter().flatten().collect())
}

fn show_failures(found: &Found, options: &Options, failed: &[&Round]) {
    let Some((first, others)) = failed.split_first() else { return };
    let Some(failure) = &first.failure else { return };
    say::out(format_args!("round {}: {}", first.number, paint(BAD, &failure.how)));
    say::out(tail(&failure.output, 30));
    say::out(format_args!("    seed   {}", first.seed));
    say::out(format_args!(
        "    again  {}cargo test {} -- {}",
        first.variables.iter().map(|(name, value)| format!("{name}={value} ")).collect::<String>(),
        found.typed,
        say_all(&first.arguments)
    ));
    if options.modes.iter().any(|mode| mode.is_load()) {
        say::out("           the load of this hunt is not in that command; hunt again to have it");
    }
    for other in others.iter().take(SHOWN) {
        say::out(format_args!("round {} failed too, with seed {}", other.number, other.seed));
    }
    if others.len() > SHOWN {
        say::out(format_args!(
            "{} failed",
            count(others.len() - SHOWN, "more round", "more rounds")
        ));
    }
}

/// The tests that failed beside the hunted one. They do not count, but they are worth a hunt.
fn show_neighbours(rounds: &[Round]) {
    let mut neighbours: Vec<&String> = rounds.iter().flat_map(|round| &round.neighbours).collect();
    neighbours.sort_unstable();
    for same in neighbours.chunk_by(|a, b| a == b) {
        let times = count(same.len(), "round", "rounds");
        say::out(format_args!("its neighbour {} failed in {times}; not counted here", same[0]));
    }
}

fn say_all(arguments: &[String]) -> String {
    arguments.iter().map(say::quoted).collect::<Vec<_>>().join(" ")
}
