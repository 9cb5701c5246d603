//! The course of one grading: what runs beside what, and what a doubt holds up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use testenv::Error;

use crate::grade::{Event, Grade, Grader, Look, Plan, Refusal, Way};
use crate::lanes::{Company, at_once, joined, most};
use crate::teller::Teller;
use crate::trial::Tried;

/// Which tests reach which faults, as the right program showed.
#[derive(Default)]
pub(crate) struct Reach<'a> {
    by_test: BTreeMap<&'a str, BTreeSet<&'a str>>,
    by_any: BTreeSet<&'a str>,
    /// How long the slowest run on the right program took.
    took: Duration,
    /// How long each test took alone.
    took_alone: BTreeMap<&'a str, Duration>,
}

impl Reach<'_> {
    /// The tests that reach a fault. If it is only known that one of them does: all tests.
    pub(crate) fn tests(&self, fault: &str) -> Vec<&str> {
        let reaching = self.by_test.iter().filter(|(_, faults)| faults.contains(fault));
        let known: Vec<&str> = reaching.map(|(test, _)| *test).collect();
        if known.is_empty() && self.by_any.contains(fault) {
            return self.by_test.keys().copied().collect();
        }
        known
    }

    /// The same tests, those first that reach the fewest faults: the more a test is about something, the
    /// less else it runs.
    pub(crate) fn narrowest_first<'t>(&self, tests: &[&'t str]) -> Vec<&'t str> {
        let mut tests = tests.to_vec();
        tests.sort_by_key(|test| self.by_test.get(test).map_or(0, BTreeSet::len));
        tests
    }

    /// The tests that reach nothing. None where it is not known which of them reaches a fault.
    fn apart(&self) -> BTreeSet<String> {
        let known: BTreeSet<&str> = self.by_test.values().flatten().copied().collect();
        let apart = self.by_test.iter().filter(|(_, faults)| faults.is_empty());
        let apart = apart.map(|(test, _)| (*test).to_owned());
        if self.by_any.is_subset(&known) { apart.collect() } else { BTreeSet::new() }
    }

    /// After so long, tests that pass are done, unless the machine has more to do than before.
    pub(crate) fn patience(&self) -> Duration {
        patience(self.took)
    }

    /// The same for one test in a process of its own.
    pub(crate) fn patience_alone(&self, test: &str) -> Duration {
        patience(self.took_alone.get(test).copied().unwrap_or(self.took))
    }
}

fn patience(took: Duration) -> Duration {
    took + took / 2 + Duration::from_millis(300)
}

/// What a suite is still to be run on.
#[derive(Clone, Copy)]
enum Open {
    Variant(usize),
    Fault(usize),
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refused right programs. `None` is the program as written.
type Refused = Vec<(Option<usize>, Refusal)>;

/// What the threads of one grading share.
struct Grading<'a> {
    grader: &'a Grader<'a>,
    plan: &'a Plan,
    teller: Teller<'a>,
    /// A right program was refused: until that is certain, no fault is tried.
    stop: AtomicBool,
    /// The places of the tests that were run twice at once.
    examined: Mutex<BTreeSet<usize>>,
    /// Those of them that failed then.
    doubted: Mutex<BTreeSet<usize>>,
}

impl Grader<'_> {
    /// Grades the suite, and tells what is certain as soon as it is.
    pub(crate) fn grade(
        &self,
        plan: &Plan,
        tell: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Grade, Error> {
        let variants = if plan.variants { self.faults.variants.len() } else { 0 };
        // All at once and each alone is one way, one after the other is the second.
        let teller = Teller::new(tell, 2, variants);
        let (stop, examined, doubted) = Default::default();
        let grading = Grading { grader: self, plan, teller, stop, examined, doubted };
        let mut reach = Reach::default();
        let refused = grading.run(variants, &mut reach)?;
        let Grading { teller, .. } = grading;
        let grade = if refused.is_empty() { teller.done() } else { teller.refused(refused) };
        Ok(Grade { apart: reach.apart(), ..grade })
    }
}

impl<'a> Grading<'a> {
    fn run(&self, variants: usize, reach: &mut Reach<'a>) -> Result<Refused, Error> {
        let mut open: Vec<Open> = (0..variants).map(Open::Variant).collect();
        open.extend(self.plan.faults.iter().copied().map(Open::Fault));
        let doubted = std::thread::scope(|scope| {
            let in_a_row = scope.spawn(|| self.in_a_row(Company::Others));
            let looked = self.look(Company::Others, reach)?;
            if looked.is_none() {
                open = self.try_all(&open, reach)?;
            }
            let in_a_row = joined(in_a_row)?;
            Ok::<_, Error>((looked.is_some(), in_a_row.is_some()))
        })?;
        if doubted.0
            && let Some(refusal) = self.look(self.plan.doubts, reach)?
        {
            return Ok(vec![(None, refusal)]);
        }
        if doubted.1
            && let Some(refusal) = self.in_a_row(self.plan.doubts)?
        {
            return Ok(vec![(None, refusal)]);
        }
        let (doubted, faults): (Vec<Open>, Vec<Open>) =
            open.into_iter().partition(|open| matches!(open, Open::Variant(_)));
        let mut refused = Vec::new();
        for doubted in doubted {
            let Open::Variant(at) = doubted else { continue };
            match self.grader.on_variant(at, reach, self.plan.doubts)? {
                None => self.teller.accepted(at),
                Some(refusal) => refused.push((Some(at), refusal)),
            }
        }
        if !refused.is_empty() {
            return Ok(refused);
        }
        self.last_faults(faults, reach)
    }

    /// Tries the faults that a doubt has held up, then each doubtful one alone.
    fn last_faults(&self, mut open: Vec<Open>, reach: &Reach<'_>) -> Result<Refused, Error> {
        if self.stop.swap(false, Ordering::Relaxed) {
            open = self.try_all(&open, reach)?;
        }
        for doubted in open {
            let Open::Fault(at) = doubted else { continue };
            match self.grader.on_fault(at, reach, self.plan, self.plan.doubts)? {
                Tried::Sure(verdict) | Tried::Doubtful(verdict) => self.teller.tried(at, verdict),
                Tried::Unsteady(refusal) => return Ok(vec![(None, refusal)]),
            }
        }
        Ok(self.examine_all()?.map(|refusal| (None, refusal)).into_iter().collect())
    }

    /// Runs a test that caught a fault twice at once on the right program, at most once a grading. A
    /// test that fails now and then, whatever the program does, is more likely to fail in one of the
    /// two runs. A test that passes and fails in turns fails in one of them.
    fn examine(&self, test: &str) -> Result<(), Error> {
        let at = self.grader.tests.iter().position(|known| known == test);
        let Some(at) = at.filter(|at| self.plan.confirm && locked(&self.examined).insert(*at))
        else {
            return Ok(());
        };
        if self.twice(at, Company::Others)?.is_some() {
            locked(&self.doubted).insert(at);
        }
        Ok(())
    }

    fn twice(&self, at: usize, company: Company) -> Result<Option<Refusal>, Error> {
        let both = at_once(2, &[at; 2], |at| self.grader.on_right(Way::Alone(*at), company))?;
        Ok(both.into_iter().find_map(|look| look.refusal))
    }

    /// Examines the catchers that are left, and again those that the load could have disturbed.
    fn examine_all(&self) -> Result<Option<Refusal>, Error> {
        at_once(most(), &self.teller.catchers(), |test| self.examine(test))?;
        for at in &*locked(&self.doubted) {
            if let Some(refusal) = self.twice(*at, self.plan.doubts)? {
                return Ok(Some(refusal));
            }
        }
        Ok(None)
    }

    /// Runs the tests on the right program, one after the other.
    fn in_a_row(&self, company: Company) -> Result<Option<Refusal>, Error> {
        let refusal = self.grader.on_right(Way::OneByOne, company)?.refusal;
        self.note(refusal.is_none());
        Ok(refusal)
    }

    /// Runs the tests on the right program, all at once, and each in a process of its own. Returns
    /// the first refusal; nothing else is begun after it.
    fn look(&self, company: Company, reach: &mut Reach<'a>) -> Result<Option<Refusal>, Error> {
        let grader = self.grader;
        let mut ways = vec![Way::Together];
        ways.extend(grader.shuffled().into_iter().map(Way::Alone));
        let is_refused = AtomicBool::new(false);
        let lanes = if company == Company::Nobody { 1 } else { most() };
        let looks = at_once(lanes, &ways, |way| {
            if is_refused.load(Ordering::Relaxed) {
                return Ok(Look::default());
            }
            let look = grader.on_right(*way, company)?;
            is_refused.fetch_or(look.refusal.is_some(), Ordering::Relaxed);
            Ok(look)
        })?;
        let mut refused = None;
        for (way, look) in ways.iter().zip(looks) {
            reach.by_any.extend(&look.reached);
            reach.took = reach.took.max(look.took);
            if let Way::Alone(at) = way {
                reach.took_alone.insert(&grader.tests[*at], look.took);
                reach.by_test.insert(&grader.tests[*at], look.reached);
            }
            refused = refused.or(look.refusal);
        }
        self.note(refused.is_none());
        Ok(refused)
    }

    fn note(&self, is_accepted: bool) {
        if is_accepted {
            self.teller.accepted_one_way();
        } else {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Tries everything, several at once. Returns what is still open: doubted, or not begun.
    fn try_all(&self, all: &[Open], reach: &Reach<'_>) -> Result<Vec<Open>, Error> {
        let (grader, others) = (self.grader, Company::Others);
        let tried = at_once(most(), all, |open| {
            let is_open = match *open {
                Open::Variant(at) => {
                    let is_accepted = grader.on_variant(at, reach, others)?.is_none();
                    if is_accepted {
                        self.teller.accepted(at);
                    } else {
                        self.stop.store(true, Ordering::Relaxed);
                    }
                    !is_accepted
                }
                Open::Fault(_) if self.stop.load(Ordering::Relaxed) => true,
                Open::Fault(at) => match grader.on_fault(at, reach, self.plan, others)? {
                    Tried::Sure(verdict) => {
                        let first = verdict.first().cloned();
                        self.teller.tried(at, verdict);
                        if let Some(first) = first {
                            self.examine(&first)?;
                        }
                        false
                    }
                    Tried::Doubtful(_) | Tried::Unsteady(_) => true,
                },
            };
            Ok(is_open.then_some(*open))
        })?;
        Ok(tried.into_iter().flatten().collect())
    }
}
