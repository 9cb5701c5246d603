//! The ticket office of one show: many buyers, at once.

use std::sync::atomic::{AtomicU64, Ordering};

use super::faults;
use super::sync::{Arc, AtomicUsize, Condvar, Mutex, MutexGuard};

/// Sells the tickets of one show to many threads at once.
///
/// ```
/// let office = task13_flake_hunt::real::Office::new(1);
///
/// let ticket = office.sell().unwrap();
/// assert_eq!(office.sell(), None);
/// office.refund(vec![ticket]);
///
/// assert_eq!(office.wait(), Some(ticket));
/// assert_eq!(office.close().unwrap().sold, 2);
/// ```
pub struct Office {
    /// Two offices are locked in the order of their numbers.
    number: u64,
    pub(super) desk: Mutex<Desk>,
    /// Tells waiting buyers that a ticket is free, or that the office is closed.
    pub(super) changed: Condvar,
    pub(super) asked: AtomicUsize,
    pub(super) programme: Mutex<Option<Arc<str>>>,
}

/// What one buyer at a time may touch.
pub(super) struct Desk {
    pub(super) free: Vec<u32>,
    pub(super) open: bool,
    pub(super) sold: usize,
}

/// What an office did until it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The number of sales. A ticket that was refunded and sold again counts twice.
    pub sold: usize,
}

impl Office {
    /// Opens an office with the tickets 1 to `tickets`.
    pub fn new(tickets: u32) -> Office {
        // Not shuttle's: the numbers are no part of what is explored.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Office {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            desk: Mutex::new(Desk { free: (1..=tickets).collect(), open: true, sold: 0 }),
            changed: Condvar::new(),
            asked: AtomicUsize::new(0),
            programme: Mutex::new(None),
        }
    }

    /// Sells a ticket, if one is free and the office is open.
    pub fn sell(&self) -> Option<u32> {
        if !faults::count(&self.asked) {
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(answer) = faults::sell(self) {
            return answer;
        }
        self.desk().sell()
    }

    /// Waits until a ticket is free, and sells it. Returns `None` when the office is closed.
    pub fn wait(&self) -> Option<u32> {
        if let Some(answer) = faults::wait(self) {
            return answer;
        }
        let mut desk = self.desk();
        while desk.open {
            if let Some(ticket) = desk.sell() {
                return Some(ticket);
            }
            desk = self.changed.wait(desk).unwrap();
        }
        None
    }

    /// Takes tickets back. Others can have them from now on.
    pub fn refund(&self, tickets: Vec<u32>) {
        if !faults::refund(self, &tickets) {
            self.desk().free.extend(tickets);
            self.changed.notify_all();
        }
    }

    /// Moves a free ticket from one office to another. Returns whether there was one.
    pub fn move_ticket(from: &Office, to: &Office) -> bool {
        if from.number == to.number {
            return false;
        }
        if let Some(moved) = faults::move_ticket(from, to) {
            return moved;
        }
        let (mut source, mut target) = Office::both(from, to);
        let Some(ticket) = source.free.pop() else { return false };
        target.free.push(ticket);
        to.changed.notify_all();
        true
    }

    /// Closes the office. The first caller gets the report, the others get `None`.
    pub fn close(&self) -> Option<Report> {
        if let Some(answer) = faults::close(self) {
            return answer;
        }
        let mut desk = self.desk();
        if !std::mem::replace(&mut desk.open, false) {
            return None;
        }
        self.changed.notify_all();
        Some(Report { sold: desk.sold })
    }

    /// Returns how often [`sell`](Office::sell) was called, without waiting for the desk.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Returns the programme of the show. The first caller loads it.
    pub fn programme(&self, load: impl FnOnce() -> String) -> Arc<str> {
        let load = match faults::programme(self, load) {
            Ok(programme) => return programme,
            Err(load) => load,
        };
        let mut programme = self.programme.lock().unwrap();
        Arc::clone(programme.get_or_insert_with(|| load().into()))
    }

    /// Locks two desks, in the order of their numbers: two callers cannot wait for each other.
    pub(super) fn both<'a>(
        from: &'a Office,
        to: &'a Office,
    ) -> (MutexGuard<'a, Desk>, MutexGuard<'a, Desk>) {
        if from.number < to.number {
            let source = from.desk();
            (source, to.desk())
        } else {
            let target = to.desk();
            (from.desk(), target)
        }
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }
}

impl Desk {
    pub(super) fn sell(&mut self) -> Option<u32> {
        if !self.open {
            return None;
        }
        let ticket = faults::choose(&mut self.free)?;
        self.sold += 1;
        Some(ticket)
    }
}
