//! Tells what a grading finds, as soon as it is certain: first that the right program is accepted,
//! then the other right programs, then the faults.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::grade::{Event, Grade, Refusal};
use crate::trial::Verdict;

/// Collects the verdicts of several threads.
pub(crate) struct Teller<'a> {
    tell: &'a (dyn Fn(Event<'_>) + Sync),
    known: Mutex<Known>,
}

struct Known {
    grade: Grade,
    /// How many ways of running the right program are not yet accepted.
    ways: usize,
    /// How many other right programs are not yet accepted.
    variants: usize,
    accepted: BTreeSet<usize>,
    /// What was told.
    told: BTreeSet<Told>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Right,
    Variant(usize),
    Fault(usize),
}

impl<'a> Teller<'a> {
    /// Waits until the right program is accepted in so many ways, and so many variants are.
    pub(crate) fn new(
        tell: &'a (dyn Fn(Event<'_>) + Sync),
        ways: usize,
        variants: usize,
    ) -> Teller<'a> {
        let (grade, accepted, told) = Default::default();
        Teller { tell, known: Mutex::new(Known { grade, ways, variants, accepted, told }) }
    }

    /// The right program was accepted in one more way.
    pub(crate) fn accepted_one_way(&self) {
        let mut known = self.known();
        known.ways -= 1;
        known.tell(self.tell);
    }

    /// Another right program was accepted.
    pub(crate) fn accepted(&self, variant: usize) {
        let mut known = self.known();
        known.variants -= 1;
        known.accepted.insert(variant);
        known.tell(self.tell);
    }

    /// A fault was tried.
    pub(crate) fn tried(&self, fault: usize, verdict: Verdict) {
        let mut known = self.known();
        known.grade.verdicts.insert(fault, verdict);
        known.tell(self.tell);
    }

    /// The tests that were the first to catch a fault.
    pub(crate) fn catchers(&self) -> Vec<String> {
        let known = self.known();
        let catchers = known.grade.verdicts.values().filter_map(Verdict::first).cloned();
        catchers.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Right programs were refused: the verdicts on the faults say nothing.
    pub(crate) fn refused(self, refused: Vec<(Option<usize>, Refusal)>) -> Grade {
        for (variant, refusal) in &refused {
            (self.tell)(Event::Refused(*variant, refusal));
        }
        Grade { refused, ..Grade::default() }
    }

    /// All is told.
    pub(crate) fn done(self) -> Grade {
        self.known.into_inner().unwrap_or_else(PoisonError::into_inner).grade
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn tell(&mut self, tell: &dyn Fn(Event<'_>)) {
        if self.ways > 0 {
            return;
        }
        if self.told.insert(Told::Right) {
            tell(Event::Accepted(None));
        }
        for variant in &self.accepted {
            if self.told.insert(Told::Variant(*variant)) {
                tell(Event::Accepted(Some(*variant)));
            }
        }
        if self.variants > 0 {
            return;
        }
        for (fault, verdict) in &self.grade.verdicts {
            if self.told.insert(Told::Fault(*fault)) {
                tell(Event::Tried(*fault, verdict));
            }
        }
    }
}
