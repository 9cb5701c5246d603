//! One round of a hunt: one process, with a seed of its own.

use testenv::Error;
use testenv::fault::FAULT_VAR;

use crate::hunt_find::Found;
use crate::lanes;
use crate::libtest::Report;
use crate::process::Run;
use crate::seed::{self, SEED_VAR, shuffle};
use crate::suite::Bench;

/// What makes a hidden flake show.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// A busy loop for each core, so a thread is interrupted where it usually is not
    Busy,
    /// The test among other tests of its program: a random choice of them, with a random number of
    /// threads. (libtest sorts by name; its own `--shuffle` is not stable)
    Shuffled,
    /// All tests of the program, one after the other
    OneThread,
    /// A loop that writes and syncs a file in the temporary directory. (In a RAM disk a sync does
    /// nothing: then this mode slows nothing but the memory)
    SlowDisk,
}

impl Mode {
    /// As it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Busy => "busy",
            Mode::Shuffled => "shuffled",
            Mode::OneThread => "one-thread",
            Mode::SlowDisk => "slow-disk",
        }
    }

    /// Whether the mode is something that runs beside the test.
    pub(crate) fn is_load(self) -> bool {
        matches!(self, Mode::Busy | Mode::SlowDisk)
    }
}

/// A round that was run.
pub(crate) struct Round {
    pub(crate) number: u32,
    pub(crate) seed: u64,
    /// The variables that decide what the test does.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// The arguments of the test program.
    pub(crate) arguments: Vec<String>,
    /// `None` if the hunted test passed.
    pub(crate) failure: Option<Failure>,
    /// The other tests that failed in the same process.
    pub(crate) neighbours: Vec<String>,
}

/// How the hunted test failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// As a sentence about the round.
    pub(crate) how: String,
    /// What the test printed.
    pub(crate) output: String,
}

impl Round {
    /// Runs one round.
    ///
    /// # Errors
    ///
    /// If the program cannot be started, or did not run the test.
    pub(crate) fn run(
        bench: &Bench,
        found: &Found,
        modes: &[Mode],
        number: u32,
    ) -> Result<Round, Error> {
        let seed = seed::given()?.map_or_else(seed::bits, |seed| seed::of_round(seed, number));
        let arguments = arguments(&found.test, &found.neighbours, modes, seed);
        let typed: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut variables = vec![(SEED_VAR, seed.to_string())];
        // A learner hunts the race of a wrong program; the bench alone would hide it.
        variables.extend(std::env::var(FAULT_VAR).ok().map(|fault| (FAULT_VAR, fault)));
        let given: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let run = bench.run(&found.suite, &typed, &given)?;
        let (failure, neighbours) = judge(run, &found.test, bench.limit.as_secs())?;
        Ok(Round { number, seed, variables, arguments, failure, neighbours })
    }
}

/// What the test program is told. The seed decides what is random in it.
fn arguments(test: &str, neighbours: &[String], modes: &[Mode], seed: u64) -> Vec<String> {
    let (shuffled, one) = (modes.contains(&Mode::Shuffled), modes.contains(&Mode::OneThread));
    let bits = seed::mixed(seed);
    let mut arguments = Vec::new();
    if shuffled || !one {
        arguments.extend(["--exact".to_owned(), test.to_owned()]);
    }
    if shuffled {
        let mut chosen = neighbours.to_vec();
        shuffle(&mut chosen, seed);
        chosen.truncate(below(bits.rotate_left(16), neighbours.len() + 1));
        arguments.extend(chosen);
    }
    if one {
        arguments.push("--test-threads=1".into());
    } else if shuffled {
        // Up to twice the cores: as many as libtest would take, and as many as make it wait.
        let threads = 1 + below(bits.rotate_left(32), 2 * lanes::cores());
        arguments.push(format!("--test-threads={threads}"));
    }
    arguments
}

/// A number below `limit` from a seed.
fn below(seed: u64, limit: usize) -> usize {
    usize::try_from(seed % limit as u64).expect("it is below a usize")
}

/// The failure of the hunted test, if it failed, and the other tests that failed.
fn judge(run: Run, test: &str, limit: u64) -> Result<(Option<Failure>, Vec<String>), Error> {
    let report = Report::read(&run.stdout);
    let unfinished = !report.unfinished(&[test.to_owned()]).is_empty();
    let mut neighbours = Vec::new();
    for failure in report.failures {
        if failure.test == test {
            let how = "the test failed".to_owned();
            return Ok((Some(Failure { how, output: failure.output }), neighbours));
        }
        neighbours.push(failure.test);
    }
    let all_done = report.summary.as_ref();
    if all_done.is_some_and(|summary| unfinished || summary.passed + summary.failed == 0) {
        return Err(
            Error::new(format!("`{test}` did not run: it is ignored")).fix("remove #[ignore]")
        );
    }
    let how = match run.status {
        None if unfinished => format!("the test still ran after {limit} s and was stopped"),
        // With one thread, libtest prints the name before the result.
        Some(_) if all_done.is_none() => format!("the test process {}", run.ended()),
        _ => return Ok((None, neighbours)),
    };
    Ok((Some(Failure { how, output: run.stdout + &run.stderr }), neighbours))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::{Mode, arguments, judge};
    use crate::process::Run;

    fn run(stdout: &str, status: Option<i32>) -> Run {
        let status = status.map(ExitStatus::from_raw);
        Run {
            stdout: stdout.into(),
            stderr: "its last words".into(),
            status,
            left_behind: vec![],
            took: std::time::Duration::ZERO,
            was_enough: false,
        }
    }

    const SUMMARY: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";

    #[test]
    fn a_test_that_passed_is_no_failure() {
        let passed = run(&format!("test a ... ok\n\n{SUMMARY}"), Some(0));

        let (failure, neighbours) = judge(passed, "a", 1).unwrap();

        assert!(failure.is_none() && neighbours.is_empty());
    }

    #[test]
    fn a_failed_neighbour_is_told_and_does_not_count() {
        let said = "test a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\nno\n\n\nfailures:\n    b\n\n";
        let summary = SUMMARY.replace("0 failed", "1 failed");

        let (failure, neighbours) =
            judge(run(&format!("{said}{summary}"), Some(101 << 8)), "a", 1).unwrap();

        assert!(failure.is_none());
        assert_eq!(neighbours, ["b"]);
    }

    #[test]
    fn a_hang_and_a_crash_are_failures_that_say_so() {
        let hang = judge(run("test a ... ", None), "a", 7).unwrap().0.unwrap();
        let crash = judge(run("test a ... ", Some(6)), "a", 7).unwrap().0.unwrap();

        assert_eq!(hang.how, "the test still ran after 7 s and was stopped");
        assert_eq!(crash.how, "the test process was ended by SIGABRT");
        assert!(crash.output.contains("its last words"));
    }

    #[test]
    fn a_neighbour_that_hangs_is_no_failure_of_the_hunted_test() {
        let (failure, _) = judge(run("test a ... ok\n", None), "a", 1).unwrap();

        assert!(failure.is_none());
    }

    #[test]
    fn a_test_that_did_not_run_is_an_error() {
        let ignored = SUMMARY.replace("1 passed", "0 passed").replace("0 ignored", "1 ignored");

        let error =
            judge(run(&format!("test a ... ignored\n\n{ignored}"), Some(0)), "a", 1).unwrap_err();

        assert!(error.to_string().contains("`a` did not run"), "{error}");
    }

    #[test]
    fn a_seed_decides_the_neighbours_and_the_threads() {
        let neighbours: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
        let of = |seed| arguments("a", &neighbours, &[Mode::Shuffled], seed);

        let seeds = || (0..50_u64).map(|seed| seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (once, again): (Vec<_>, Vec<_>) =
            (seeds().map(of).collect(), seeds().map(of).collect());

        assert_eq!(once, again);
        assert!(once.iter().all(|arguments| arguments[..2] == ["--exact", "a"]));
        let threads = |arguments: &Vec<String>| arguments.last().cloned();
        assert!(once.iter().any(|arguments| threads(arguments) != threads(&once[0])));
        assert!(once.iter().any(|arguments| arguments.len() != once[0].len()));
    }

    #[test]
    fn one_thread_runs_the_whole_program() {
        let neighbours = ["b".to_owned()];

        assert_eq!(arguments("a", &neighbours, &[Mode::OneThread], 1), ["--test-threads=1"]);
        assert_eq!(arguments("a", &neighbours, &[Mode::Busy], 1), ["--exact", "a"]);
    }
}
