//! Grades a suite. The suite must accept the right programs. Then each fault is tried in a process
//! of its own, several at once.
//!
//! Invariant: a fault counts as caught only when the panic that failed a test is in the file of the
//! tests. A crash, a hang or an early end proves nothing about what the tests check.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};

use testenv::Error;

use crate::faults::Mutation;
use crate::lanes::side_by_side;
use crate::libtest::{Failure, Report, listed};
use crate::process::Run;
use crate::suite::{Bench, Suite};

/// Grades one suite.
pub(crate) struct Grader<'a> {
    suite: &'a Suite,
    bench: &'a Bench,
    /// The names of its tests.
    pub(crate) tests: Vec<String>,
    /// The seed of the shuffled order.
    seed: u64,
}

/// Why a suite was not accepted on a right program.
pub(crate) struct Refusal {
    /// The run in which it happened, one of three: `all at once`, …
    pub(crate) during: String,
    /// What went wrong.
    pub(crate) why: Why,
}

/// What went wrong on a right program.
pub(crate) enum Why {
    /// These tests failed.
    Failed(Vec<Failure>),
    /// No test ran. `ignored` is the number of ignored tests.
    NothingRan { ignored: usize },
    /// These tests still ran at the time limit.
    Hung { running: Vec<String> },
    /// These processes outlived the tests.
    LeftBehind(Vec<String>),
    /// The process ended without a result: how it ended, and its last output.
    EndedEarly { how: String, words: String },
}

/// What became of one fault.
pub(crate) enum Verdict {
    /// These tests failed at a line of their own file.
    Caught { by: Vec<String> },
    /// Something failed outside the file of the tests; `why` says what.
    Crashed { why: String, cure: &'static str },
    /// All tests passed. `reached` says whether the faulty code ran, `tests` which tests are known
    /// to have run it.
    Survived { reached: bool, tests: BTreeSet<String> },
}

impl Verdict {
    /// The word that `.course/verdicts` keeps.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Verdict::Caught { .. } => "caught",
            Verdict::Crashed { .. } => "crashed",
            Verdict::Survived { .. } => "survived",
        }
    }
}

/// How the tests run on a right program.
#[derive(Clone, Copy)]
enum Way {
    /// All at once.
    Together,
    /// One after the other, in one process.
    OneByOne,
    /// Each in a process of its own, in shuffled order.
    Alone,
}

const WAYS: [Way; 3] = [Way::Together, Way::OneByOne, Way::Alone];

/// At least four threads, also on one core: tests that disturb each other should do so here.
const PARALLEL: &str = "--test-threads=4";

impl<'a> Grader<'a> {
    /// Lists the tests of a suite. `seed` decides the shuffled order.
    pub(crate) fn new(suite: &'a Suite, bench: &'a Bench, seed: u64) -> Result<Grader<'a>, Error> {
        let list = bench.run(suite, &["--list", "--format", "terse"], &[])?;
        if !list.success() {
            let error = Error::new(format!(
                "the test program of {} {} when asked for its tests",
                suite.package,
                list.ended()
            ));
            return Err(error.cause(last_words(&list)));
        }
        Ok(Grader { tests: listed(&list.stdout), suite, bench, seed })
    }

    /// Runs the tests on right programs, several at once: `None` is the program as written, a
    /// mutation is a variant. Returns for each why the tests do not accept it, or `None`.
    ///
    /// A refusal, which the load could have made, is told only after it was seen again alone.
    pub(crate) fn accept(
        &self,
        programs: &[Option<&Mutation>],
        begun: impl Fn(Option<&Mutation>) + Sync,
    ) -> Result<Vec<Option<Refusal>>, Error> {
        let ways = programs.iter().flat_map(|program| WAYS.map(|way| (*program, way)));
        let ways: Vec<(Option<&Mutation>, Way)> = ways.collect();
        let refusals = side_by_side(&ways, |(program, way)| {
            begun(*program);
            self.accept_in(*way, *program)
        })?;
        let refusals = programs.iter().zip(refusals.chunks(WAYS.len())).map(|(program, seen)| {
            if seen.iter().all(Option::is_none) {
                return Ok(None);
            }
            begun(*program);
            for way in WAYS {
                if let Some(refusal) = self.accept_in(way, *program)? {
                    return Ok(Some(refusal));
                }
            }
            Ok(None)
        });
        refusals.collect()
    }

    /// Runs the tests on a right program in one way. Returns why they do not accept it.
    fn accept_in(&self, way: Way, variant: Option<&Mutation>) -> Result<Option<Refusal>, Error> {
        let fault: Vec<(&str, &str)> =
            variant.iter().map(|variant| ("COURSE_FAULT", variant.id.as_str())).collect();
        let mut order = self.tests.clone();
        let all = &self.tests[..];
        let (during, runs) = match way {
            Way::Together => ("all at once".to_owned(), vec![(vec![PARALLEL], all)]),
            Way::OneByOne => ("one at a time".to_owned(), vec![(vec!["--test-threads=1"], all)]),
            Way::Alone => {
                shuffle(&mut order, self.seed);
                let alone = order.chunks(1).map(|test| (vec!["--exact", &test[0]], test));
                (format!("each in a process of its own, order {}", self.seed), alone.collect())
            }
        };
        for (arguments, tests) in runs {
            let run = self.bench.run(self.suite, &arguments, &fault)?;
            // That not all are ignored is seen when all run; alone, one may be.
            if let Some(why) = refusal(run, tests, !matches!(way, Way::Alone)) {
                return Ok(Some(Refusal { during, why }));
            }
        }
        Ok(None)
    }

    /// Runs the tests on wrong programs, several at once. A crash or a hang, which the load could
    /// have made, is told only after it was seen again alone.
    pub(crate) fn try_faults(
        &self,
        faults: &[Mutation],
        begun: impl Fn(&Mutation) + Sync,
    ) -> Result<Vec<Verdict>, Error> {
        let mut verdicts = side_by_side(faults, |fault| {
            begun(fault);
            self.try_fault(fault)
        })?;
        for (fault, verdict) in faults.iter().zip(&mut verdicts) {
            if matches!(verdict, Verdict::Crashed { .. }) {
                begun(fault);
                *verdict = self.try_fault(fault)?;
            }
        }
        Ok(verdicts)
    }

    /// Runs the tests on a wrong program.
    fn try_fault(&self, fault: &Mutation) -> Result<Verdict, Error> {
        let reached = tempfile::NamedTempFile::new_in(self.bench.scratch.path())
            .map_err(crate::process::no_scratch)?;
        let path = reached.path().to_str().ok_or_else(|| {
            Error::new("the temporary directory's name is not UTF-8")
                .fix("set TMPDIR to another one")
        })?;
        let run = self.bench.run(
            self.suite,
            &[PARALLEL],
            &[("COURSE_FAULT", &fault.id), ("COURSE_REACHED", path)],
        )?;
        let report = Report::read(&run.stdout);
        if run.status.is_none() {
            let why = format!(
                "the tests hung: {} still ran at the time limit",
                names(&report.unfinished(&self.tests))
            );
            return Ok(Verdict::Crashed {
                why,
                cure: "give every wait in your test a deadline, so that the test says what it missed",
            });
        }
        let summary =
            report.summary.as_ref().filter(|summary| run.success() == (summary.failed == 0));
        if summary.is_none() || (!run.success() && report.failures.is_empty()) {
            let why = format!("the test process {} before it had a result", run.ended());
            return Ok(Verdict::Crashed {
                why,
                cure: "let the test come to its own assertion; see what it prints",
            });
        }
        let (own, elsewhere): (Vec<&Failure>, Vec<&Failure>) = report
            .failures
            .iter()
            .partition(|failure| failure.file().is_some_and(|file| self.suite.is_own(file)));
        Ok(match (own.is_empty(), elsewhere.first()) {
            (false, _) => {
                let mut by: Vec<String> =
                    own.into_iter().map(|failure| failure.test.clone()).collect();
                by.sort_unstable(); // libtest reports in the order of the ends, which is chance
                Verdict::Caught { by }
            }
            (true, Some(failure)) => self.crash(failure),
            (true, None) => {
                self.survival(&std::fs::read_to_string(reached.path()).unwrap_or_default())
            }
        })
    }

    fn crash(&self, failure: &Failure) -> Verdict {
        match failure.file() {
            Some(file) => Verdict::Crashed {
                why: format!(
                    "{} failed in {}, not at a line of yours",
                    failure.test,
                    self.suite.shown(file)
                ),
                cure: "assert in the test what the requirement says, before something else breaks",
            },
            None => Verdict::Crashed {
                why: format!("{} failed without a panic", failure.test),
                cure: "use unwrap() where it returns an error: the failure then has a line in your file",
            },
        }
    }

    fn survival(&self, reached: &str) -> Verdict {
        let threads: BTreeSet<&str> = reached.lines().collect();
        let tests =
            self.tests.iter().filter(|test| threads.contains(test.as_str())).cloned().collect();
        Verdict::Survived { reached: !threads.is_empty(), tests }
    }
}

/// A seed that nobody chose. (The hasher's keys are random; `std` has no other randomness.)
pub(crate) fn fresh_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() % 1_000_000 // short enough to type
}

/// Joins names for a sentence.
pub(crate) fn names(tests: &[String]) -> String {
    match tests {
        [] => "no test".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Why a run on a right program is not accepted.
fn refusal(run: Run, tests: &[String], one_must_pass: bool) -> Option<Why> {
    let report = Report::read(&run.stdout);
    if run.status.is_none() {
        return Some(Why::Hung { running: report.unfinished(tests) });
    }
    let clean = run.success();
    match report.summary {
        Some(_) if !report.failures.is_empty() => Some(Why::Failed(report.failures)),
        Some(summary)
            if clean && summary.passed == 0 && (one_must_pass || summary.ignored == 0) =>
        {
            Some(Why::NothingRan { ignored: summary.ignored })
        }
        Some(_) if clean => {
            (!run.left_behind.is_empty()).then_some(Why::LeftBehind(run.left_behind))
        }
        _ => Some(Why::EndedEarly { how: run.ended(), words: last_words(&run) }),
    }
}

fn last_words(run: &Run) -> String {
    let words = if run.stderr.trim().is_empty() { &run.stdout } else { &run.stderr };
    crate::say::tail(words, 15)
}

/// Fisher and Yates's shuffle, on the numbers of splitmix64. A dependency for one shuffle would be
/// more to build than this is to read.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        items.swap(last, ((mixed ^ (mixed >> 31)) % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::{Why, refusal, shuffle};
    use crate::process::Run;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn ended(stdout: &str, code: i32) -> Run {
        Run {
            stdout: stdout.into(),
            stderr: String::new(),
            status: Some(ExitStatus::from_raw(code << 8)),
            left_behind: Vec::new(),
        }
    }

    fn result(numbers: &str) -> String {
        format!("test result: ok. {numbers}; 0 measured; 0 filtered out; finished in 0.00s\n")
    }

    #[test]
    fn an_early_exit_with_code_0_is_no_pass() {
        assert!(matches!(
            refusal(ended("running 1 test\n", 0), &["a".into()], true),
            Some(Why::EndedEarly { .. })
        ));
        assert!(matches!(
            refusal(ended(&result("1 passed; 0 failed; 0 ignored"), 3), &["a".into()], true),
            Some(Why::EndedEarly { .. })
        ));
        assert!(
            refusal(ended(&result("1 passed; 0 failed; 0 ignored"), 0), &["a".into()], true)
                .is_none()
        );
    }

    #[test]
    fn a_suite_in_which_nothing_ran_is_no_pass() {
        let both = ["a".into(), "b".into()];
        assert!(matches!(
            refusal(ended(&result("0 passed; 0 failed; 0 ignored"), 0), &[], true),
            Some(Why::NothingRan { ignored: 0 })
        ));
        assert!(matches!(
            refusal(ended(&result("0 passed; 0 failed; 2 ignored"), 0), &both, true),
            Some(Why::NothingRan { ignored: 2 })
        ));
    }

    #[test]
    fn one_seed_is_one_order() {
        let order = |seed| {
            let mut items: Vec<u32> = (0..20).collect();
            shuffle(&mut items, seed);
            items
        };
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
        let mut sorted = order(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }
}
