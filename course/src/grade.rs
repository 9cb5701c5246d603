//! Grades a suite. The suite must accept the right programs and catch the wrong ones. They are tried
//! side by side, each in a process of its own.
//!
//! A right program says which tests reach which fault. A fault is then tried on these tests alone: on
//! all others, the wrong program does what the right one does.
//!
//! Invariant: a refusal, a crash or a hang, which the load could have made, is told only after it was
//! seen again alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use testenv::Error;

use crate::faults::Faults;
use crate::grading::Reach;
use crate::lanes::Company;
use crate::libtest::{Failure, Report, listed};
use crate::process::Run;
use crate::seed::shuffle;
use crate::suite::{Bench, Suite};
use crate::trial::{Tried, Verdict};

/// Grades one suite.
pub(crate) struct Grader<'a> {
    pub(crate) suite: &'a Suite,
    pub(crate) bench: &'a Bench,
    pub(crate) faults: &'a Faults,
    /// The names of its tests.
    pub(crate) tests: Vec<String>,
    /// The seed of the shuffled order.
    seed: u64,
}

/// Which faults are tried, and how.
pub(crate) struct Plan {
    /// The numbers of the faults, in the order in which they are tried.
    pub(crate) faults: Vec<usize>,
    /// By the number of a fault, a test that has caught it before. It is tried first.
    pub(crate) known: BTreeMap<usize, String>,
    /// Whether other right programs are tried too.
    pub(crate) variants: bool,
    /// Whether all tests that catch a fault are looked for. Otherwise one is enough.
    pub(crate) all_catchers: bool,
    /// Whether a catch is tried a second time, beside the right program. Who wrote the fault and the
    /// test needs no proof that the test looks at the program.
    pub(crate) confirm: bool,
    /// How a doubt is settled. It holds up everybody else for as long as it is settled alone.
    pub(crate) doubts: Company,
}

impl Plan {
    /// Everything is tried.
    pub(crate) fn whole(faults: &Faults) -> Plan {
        Plan {
            faults: (0..faults.faults.len()).collect(),
            known: BTreeMap::new(),
            variants: true,
            all_catchers: true,
            confirm: true,
            doubts: Company::Nobody,
        }
    }
}

/// What a suite is worth.
#[derive(Default)]
pub(crate) struct Grade {
    /// The refused right programs. `None` is the program as written, a number is that of a variant.
    pub(crate) refused: Vec<(Option<usize>, Refusal)>,
    /// By the number of the fault. Empty when a right program was refused.
    pub(crate) verdicts: BTreeMap<usize, Verdict>,
    /// The tests that reach no fault and no variant.
    pub(crate) apart: BTreeSet<String>,
}

impl Grade {
    /// How many faults were caught.
    pub(crate) fn caught(&self) -> usize {
        self.verdicts.values().filter(|verdict| !verdict.by().is_empty()).count()
    }
}

/// What is told while a suite is graded.
pub(crate) enum Event<'e> {
    /// A right program was accepted. `None` is the program as written.
    Accepted(Option<usize>),
    /// A right program was refused.
    Refused(Option<usize>, &'e Refusal),
    /// A fault was tried. None is told before all right programs are accepted.
    Tried(usize, &'e Verdict),
}

/// Why a suite was not accepted on a right program.
pub(crate) struct Refusal {
    /// How the tests ran.
    pub(crate) during: String,
    /// What libtest was asked for, to run them so again.
    pub(crate) arguments: Vec<String>,
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
    Hung { running: Vec<String>, limit: u64 },
    /// These processes outlived the tests.
    LeftBehind(Vec<String>),
    /// The process ended without a result: how it ended, and its last output.
    EndedEarly { how: String, words: String },
}

/// How the tests run on the right program.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// All at once.
    Together,
    /// One after the other, in one process.
    OneByOne,
    /// This one, in a process of its own.
    Alone(usize),
}

/// What one run on the right program showed.
#[derive(Default)]
pub(crate) struct Look<'a> {
    /// Why the tests do not accept it.
    pub(crate) refusal: Option<Refusal>,
    /// The faults that they reach.
    pub(crate) reached: BTreeSet<&'a str>,
    /// How long they took.
    pub(crate) took: Duration,
}

/// At least four threads, also on one core: tests that disturb each other should do so here.
pub(crate) const PARALLEL: &str = "--test-threads=4";

impl<'a> Grader<'a> {
    /// Lists the tests of a suite. `seed` decides the shuffled order.
    pub(crate) fn new(
        suite: &'a Suite,
        bench: &'a Bench,
        faults: &'a Faults,
        seed: u64,
    ) -> Result<Grader<'a>, Error> {
        let list = bench.run(suite, &["--list", "--format", "terse"], &[])?;
        if !list.success() {
            let error = Error::new(format!(
                "the test program of {} {} when asked for its tests",
                suite.package,
                list.ended()
            ));
            return Err(error.cause(last_words(&list)));
        }
        Ok(Grader { tests: listed(&list.stdout), suite, bench, faults, seed })
    }

    /// Runs the tests on the right program.
    pub(crate) fn on_right(&self, way: Way, company: Company) -> Result<Look<'_>, Error> {
        let all = &self.tests[..];
        let (during, arguments, tests) = match way {
            Way::Together => ("all at once".to_owned(), vec![PARALLEL], all),
            Way::OneByOne => ("one at a time".to_owned(), vec!["--test-threads=1"], all),
            Way::Alone(at) => {
                let during = format!("each in a process of its own, order {}", self.seed);
                (during, vec!["--exact", &all[at]], &all[at..=at])
            }
        };
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let (run, reached) = self.run(&arguments, None, company)?;
        // That not all are ignored is seen when all run; alone, one may be.
        let took = run.took;
        let why = refusal(run, tests, !matches!(way, Way::Alone(_)), self.bench.limit);
        Ok(Look { refusal: why.map(|why| Refusal { during, arguments, why }), reached, took })
    }

    /// The numbers of the tests in the order of the seed.
    pub(crate) fn shuffled(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.tests.len()).collect();
        shuffle(&mut order, self.seed);
        order
    }

    /// Runs the tests that reach a variant on it. On all others, it does what the right program does.
    pub(crate) fn on_variant(
        &self,
        at: usize,
        reach: &Reach<'_>,
        company: Company,
    ) -> Result<Option<Refusal>, Error> {
        let id = &self.faults.variants[at].id;
        let tests = reach.tests(id);
        if tests.is_empty() {
            return Ok(None);
        }
        let arguments = self.arguments(&tests);
        let (run, _) = self.run(&arguments, Some(id), company)?;
        let tests: Vec<String> = tests.iter().map(ToString::to_string).collect();
        let refusal = |why| Refusal { during: "all at once".to_owned(), arguments, why };
        Ok(self::refusal(run, &tests, false, self.bench.limit).map(refusal))
    }

    pub(crate) fn on_fault(
        &self,
        at: usize,
        reach: &Reach<'_>,
        plan: &Plan,
        company: Company,
    ) -> Result<Tried, Error> {
        let fault = &self.faults.faults[at];
        let known = plan.known.get(&at).map(String::as_str);
        self.try_fault(fault, reach, known, plan, company)
    }

    /// What libtest is asked for, to run these tests at once: the same for right and wrong programs.
    pub(crate) fn arguments(&self, tests: &[&str]) -> Vec<String> {
        let mut arguments = vec![PARALLEL.to_owned()];
        if tests.len() < self.tests.len() {
            arguments.push("--exact".to_owned());
            arguments.extend(tests.iter().map(ToString::to_string));
        }
        arguments
    }

    /// Runs the suite once.
    pub(crate) fn run(
        &self,
        arguments: &[String],
        fault: Option<&str>,
        company: Company,
    ) -> Result<(Run, BTreeSet<&str>), Error> {
        self.run_watched(arguments, fault, company, || (), None)
    }

    /// Runs the suite once, and calls `begun` before. It ends as soon as its output is enough.
    pub(crate) fn run_watched(
        &self,
        arguments: &[String],
        fault: Option<&str>,
        company: Company,
        begun: impl FnOnce(),
        is_enough: Option<&dyn Fn(&str) -> bool>,
    ) -> Result<(Run, BTreeSet<&str>), Error> {
        let known = self.faults.faults.iter().chain(&self.faults.variants);
        let known = known.map(|known| known.id.as_str());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.bench.lanes.run(company, || {
            begun();
            self.bench.run_on(self.suite, &arguments, fault, known, is_enough)
        })
    }
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
pub(crate) fn refusal(
    run: Run,
    tests: &[String],
    one_must_pass: bool,
    limit: Duration,
) -> Option<Why> {
    let report = Report::read(&run.stdout);
    if run.status.is_none() {
        return Some(Why::Hung { running: report.unfinished(tests), limit: limit.as_secs() });
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

#[cfg(test)]
#[path = "grade_tests.rs"]
mod tests;
