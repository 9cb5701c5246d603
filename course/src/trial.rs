//! Tries a suite on one wrong program.
//!
//! Invariant: a fault counts as caught only if a test that reaches it failed twice, at a line of its
//! own files, and passed on the right program at the same time. A crash, a hang or an early end proves
//! nothing about what the tests check.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use testenv::Error;

use crate::faults::Mutation;
use crate::grade::{Grader, Plan, Refusal, names, refusal};
use crate::grading::Reach;
use crate::lanes::{Company, joined};
use crate::libtest::{Failure, Report, failed};
use crate::process::Run;
use crate::seed;

/// What became of one fault.
#[derive(Clone)]
pub(crate) enum Verdict {
    /// These tests failed at a line of their own files; `first` was the quickest.
    Caught { by: Vec<String>, first: String },
    /// Something failed elsewhere; `why` says what.
    Crashed { why: String, cure: &'static str },
    /// All tests passed. `reached` says whether the faulty code runs, `tests` how many tests are known
    /// to run it.
    Survived { reached: bool, tests: usize },
}

impl Verdict {
    /// These tests caught the fault, in the order of their ends. All but the first of them are chance,
    /// so they are sorted.
    fn caught(by: Vec<String>) -> Option<Verdict> {
        let first = by.first()?.clone();
        let mut by = by;
        by.sort_unstable();
        Some(Verdict::Caught { by, first })
    }

    /// The quickest test that caught the fault.
    pub(crate) fn first(&self) -> Option<&String> {
        match self {
            Verdict::Caught { first, .. } => Some(first),
            Verdict::Crashed { .. } | Verdict::Survived { .. } => None,
        }
    }

    /// The tests that caught the fault. Empty if none did.
    pub(crate) fn by(&self) -> &[String] {
        match self {
            Verdict::Caught { by, .. } => by,
            Verdict::Crashed { .. } | Verdict::Survived { .. } => &[],
        }
    }

    /// What `.course/verdicts` keeps: the word, and for a caught fault a test that caught it.
    pub(crate) fn row(&self) -> String {
        match self {
            Verdict::Caught { first, .. } => format!("caught {first}"),
            Verdict::Crashed { .. } => "crashed".to_owned(),
            Verdict::Survived { .. } => "survived".to_owned(),
        }
    }
}

/// What one trial showed.
pub(crate) enum Tried {
    Sure(Verdict),
    /// The load could have made it.
    Doubtful(Verdict),
    /// A test that failed on the fault failed on the right program too.
    Unsteady(Refusal),
}

/// How long a run goes on after a test has failed.
const TOGETHER: Duration = Duration::from_millis(200);

/// How often it is looked whether tests that take long are slow, or wait.
const LOOK: Duration = Duration::from_millis(200);

/// Which tests run, and on which fault.
struct Trial<'a> {
    grader: &'a Grader<'a>,
    fault: &'a Mutation,
    company: Company,
}

impl Grader<'_> {
    /// Runs the tests that reach a fault on the wrong program. `known` is one of them that has
    /// caught the fault before. If one test is enough, it alone is tried first.
    pub(crate) fn try_fault(
        &self,
        fault: &Mutation,
        reach: &Reach<'_>,
        known: Option<&str>,
        plan: &Plan,
        company: Company,
    ) -> Result<Tried, Error> {
        let reaching = &reach.tests(&fault.id)[..];
        if reaching.is_empty() {
            return Ok(Tried::Sure(Verdict::Survived { reached: false, tests: 0 }));
        }
        let trial = Trial { grader: self, fault, company };
        let one_is_enough = plan.confirm && !plan.all_catchers;
        if let Some(known) = known.filter(|known| one_is_enough && reaching.contains(known)) {
            // That it has caught the fault before is the second time. How often the right program
            // runs is chance, so that how many runs there were tells a test nothing.
            let rights = 1 + seed::bits() % 2;
            let wrong = || trial.wrong(&[known]);
            let (verdict, refusal) = trial.beside_right(&[known], rights, wrong)?;
            if let Verdict::Caught { .. } = verdict {
                return Ok(match refusal {
                    Some(refusal) => Tried::Unsteady(refusal),
                    None => Tried::Sure(verdict),
                });
            }
        }
        if one_is_enough && company == Company::Others {
            let tried = match self.faults.heavy {
                true => trial.in_turn(&reach.narrowest_first(reaching), reach)?,
                false => trial.quickly(reaching, reach.patience())?,
            };
            if let Some(tried) = tried {
                return Ok(tried);
            }
        }
        let verdict = trial.wrong(reaching)?;
        match &verdict {
            Verdict::Crashed { .. } => Ok(Tried::Doubtful(verdict)),
            Verdict::Caught { first, .. } if plan.confirm => {
                match trial.confirm(&verdict, &[first])? {
                    // What it sees, it may see only beside the others.
                    Tried::Doubtful(_) => trial.confirm(&verdict, reaching),
                    tried => Ok(tried),
                }
            }
            Verdict::Caught { .. } | Verdict::Survived { .. } => Ok(Tried::Sure(verdict)),
        }
    }

    /// Runs all tests on a wrong program: those too that do not reach the fault, as the right program
    /// showed. Returns the tests that catch it.
    pub(crate) fn catchers_of_all(&self, fault: &Mutation) -> Result<BTreeSet<String>, Error> {
        let trial = Trial { grader: self, fault, company: Company::Others };
        let all: Vec<&str> = self.tests.iter().map(String::as_str).collect();
        Ok(trial.wrong(&all)?.by().iter().cloned().collect())
    }
}

/// What was seen of a run on a wrong program.
enum Seen {
    All(Verdict),
    /// It was ended after these tests had failed. At which lines is not known.
    Failed(Vec<String>),
}

impl Seen {
    /// The tests that may have caught the fault.
    fn by(&self) -> &[String] {
        match self {
            Seen::All(verdict) => verdict.by(),
            Seen::Failed(tests) => tests,
        }
    }

    /// The verdict of the tests that failed here and there, at least once at a line that is known.
    fn twice(&self, there: &Seen) -> Option<Verdict> {
        if matches!((self, there), (Seen::Failed(_), Seen::Failed(_))) {
            return None;
        }
        Verdict::caught(
            self.by().iter().filter(|test| there.by().contains(test)).cloned().collect(),
        )
    }
}

/// What tests did on the wrong program, and why they refused the right one at the same time.
type BesideRight<T> = (T, Option<Refusal>);

impl Trial<'_> {
    /// Ends the run on the wrong program soon after a test has failed, and has that test fail a second
    /// time. `None` if that does not decide it.
    fn quickly(&self, tests: &[&str], patience: Duration) -> Result<Option<Tried>, Error> {
        let (first, again) = self.once_or_twice(tests, patience)?;
        if let Some((again, refusal)) = again {
            if let Some(refusal) = refusal {
                return Ok(Some(Tried::Unsteady(refusal)));
            }
            if let Some(verdict) = first.twice(&again) {
                return Ok(Some(Tried::Sure(verdict)));
            }
        }
        let verdict = match first {
            Seen::All(verdict) => verdict,
            Seen::Failed(mut tests) => {
                tests.truncate(1);
                Verdict::caught(tests).expect("one has failed")
            }
        };
        let tried = match &verdict {
            Verdict::Survived { .. } => Tried::Sure(verdict),
            Verdict::Crashed { .. } => Tried::Doubtful(verdict),
            Verdict::Caught { first, .. } => match self.confirm(&verdict, &[first])? {
                Tried::Doubtful(_) => return Ok(None),
                tried => tried,
            },
        };
        Ok(Some(tried))
    }

    /// Runs the tests one after the other, each to its end, until one catches the fault.
    fn in_turn(&self, tests: &[&str], reach: &Reach<'_>) -> Result<Option<Tried>, Error> {
        for test in tests {
            match self.quickly(&[test], reach.patience_alone(test))? {
                Some(Tried::Sure(Verdict::Survived { .. })) => {}
                tried => return Ok(tried),
            }
        }
        Ok(None)
    }

    /// Whether one of these tests catches the fault again, as in the verdict, and all accept the right
    /// program.
    fn confirm(&self, verdict: &Verdict, tests: &[&str]) -> Result<Tried, Error> {
        let (again, refusal) = self.beside_right(tests, 1, || self.wrong(tests))?;
        if let Some(refusal) = refusal {
            return Ok(Tried::Unsteady(refusal));
        }
        if again.by().iter().any(|test| verdict.by().contains(test)) {
            return Ok(Tried::Sure(verdict.clone()));
        }
        let why = format!("{} failed once, and not a second time", names(verdict.by()));
        let cure = "let the test fail each time: what is chance in it?";
        Ok(Tried::Doubtful(Verdict::Crashed { why, cure }))
    }

    /// Runs the tests on the right program so many times while `wrong` runs: a test that counts its runs
    /// does not know which is which.
    fn beside_right<T>(
        &self,
        tests: &[&str],
        rights: u64,
        wrong: impl FnOnce() -> Result<T, Error>,
    ) -> Result<BesideRight<T>, Error> {
        std::thread::scope(|scope| {
            let rights: Vec<_> = (0..rights).map(|_| scope.spawn(|| self.right(tests))).collect();
            let wrong = wrong();
            let refusals = rights.into_iter().map(joined);
            let refusals: Vec<Option<Refusal>> = refusals.collect::<Result<_, _>>()?;
            Ok((wrong?, refusals.into_iter().flatten().next()))
        })
    }

    /// Runs the tests on the wrong program. If they are not done within `patience`, and cores are idle,
    /// they wait for what will not come: a second time, beside the right program, begins before the
    /// first has ended.
    fn once_or_twice(
        &self,
        tests: &[&str],
        patience: Duration,
    ) -> Result<(Seen, Option<BesideRight<Seen>>), Error> {
        let (tell, told) = mpsc::channel();
        std::thread::scope(|scope| {
            let again = scope.spawn(move || {
                let mut look = told.recv().map(|()| patience);
                while let Ok(limit) = look {
                    match told.recv_timeout(limit) {
                        Err(RecvTimeoutError::Timeout) if self.grader.bench.lanes.are_idle() => {
                            let wrong = || self.until_one_fails(tests, || ());
                            return self.beside_right(tests, 1, wrong).map(Some);
                        }
                        // The machine is busy: they may be slow.
                        Err(RecvTimeoutError::Timeout) => look = Ok(LOOK),
                        _ => break,
                    }
                }
                Ok(None)
            });
            let first = self.until_one_fails(tests, || {
                tell.send(()).ok(); // whoever is told waits for it
            });
            drop(tell);
            let again = joined(again);
            Ok((first?, again?))
        })
    }

    /// Runs the tests on the wrong program until one has failed, and a moment longer: what fails with it
    /// is then seen too. Calls `begun` when it is this run's turn.
    fn until_one_fails(&self, tests: &[&str], begun: impl FnOnce()) -> Result<Seen, Error> {
        let first_failure = OnceCell::new();
        let is_enough = |stdout: &str| {
            !failed(stdout).is_empty()
                && first_failure.get_or_init(Instant::now).elapsed() > TOGETHER
        };
        let (arguments, fault) = (self.grader.arguments(tests), Some(&*self.fault.id));
        let is_enough: &dyn Fn(&str) -> bool = &is_enough;
        let (run, _) =
            self.grader.run_watched(&arguments, fault, self.company, begun, Some(is_enough))?;
        Ok(match run.was_enough {
            true => Seen::Failed(failed(&run.stdout)),
            false => Seen::All(self.judge(&run, tests)),
        })
    }

    fn right(&self, tests: &[&str]) -> Result<Option<Refusal>, Error> {
        let arguments = self.grader.arguments(tests);
        let (run, _) = self.grader.run(&arguments, None, self.company)?;
        let tests: Vec<String> = tests.iter().map(ToString::to_string).collect();
        let during =
            format!("{}, beside a fault", if tests.len() == 1 { "alone" } else { "at once" });
        let why = refusal(run, &tests, false, self.grader.bench.limit);
        Ok(why.map(|why| Refusal { during, arguments, why }))
    }

    fn wrong(&self, tests: &[&str]) -> Result<Verdict, Error> {
        let (run, _) =
            self.grader.run(&self.grader.arguments(tests), Some(&self.fault.id), self.company)?;
        Ok(self.judge(&run, tests))
    }

    fn judge(&self, run: &Run, tests: &[&str]) -> Verdict {
        let report = Report::read(&run.stdout);
        let tests: Vec<String> = tests.iter().map(ToString::to_string).collect();
        if run.status.is_none() {
            let limit = self.grader.bench.limit.as_secs();
            let why = format!(
                "the tests hung: {} still ran after {limit} s (--limit {limit})",
                names(&report.unfinished(&tests))
            );
            return Verdict::Crashed {
                why,
                cure: "give every wait in your test a deadline, so that the test says what it missed",
            };
        }
        let summary =
            report.summary.as_ref().filter(|summary| run.success() == (summary.failed == 0));
        if summary.is_none() || (!run.success() && report.failures.is_empty()) {
            let why = format!("the test process {} before it had a result", run.ended());
            return Verdict::Crashed {
                why,
                cure: "let the test come to its own assertion; see what it prints",
            };
        }
        // A test that returns `Err` fails without a panic, and nowhere but in its own lines.
        let is_own =
            |failure: &&Failure| failure.file().is_none_or(|file| self.grader.suite.is_own(file));
        let (own, elsewhere): (Vec<&Failure>, Vec<&Failure>) =
            report.failures.iter().partition(is_own);
        let by = own.into_iter().map(|failure| failure.test.clone()).collect();
        match (Verdict::caught(by), elsewhere.first()) {
            (Some(caught), _) => caught,
            (None, Some(failure)) => Verdict::Crashed {
                why: format!(
                    "{} failed in {}, not at a line of yours",
                    failure.test,
                    self.grader.suite.shown(failure.file().unwrap_or_default())
                ),
                cure: "assert in the test what the requirement says, before something else breaks",
            },
            (None, None) => Verdict::Survived { reached: true, tests: tests.len() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn the_tests_are_told_in_one_order_and_the_quickest_is_known() {
        let caught = Verdict::caught(vec!["quick".into(), "late".into()]).unwrap();

        assert_eq!(caught.by(), ["late", "quick"]);
        assert_eq!(
            (caught.first().unwrap().as_str(), caught.row().as_str()),
            ("quick", "caught quick")
        );
        assert!(Verdict::caught(Vec::new()).is_none());
    }
}
