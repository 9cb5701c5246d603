//! The wrong programs, and the other right ones, that `COURSE_FAULT` switches on.
//!
//! Think about races of your own before you read on. A function says that it did nothing, unless
//! its fault is on.

use std::sync::TryLockError;
use std::sync::atomic::Ordering;

use testenv::fault;

use super::office::{Office, Report};
use super::sync::{Arc, AtomicUsize, yield_now};

/// Counts a call in another way. Returns whether it did.
pub(super) fn count(asked: &AtomicUsize) -> bool {
    if fault!("count-loaded-then-stored") {
        let before = asked.load(Ordering::Relaxed);
        asked.store(before + 1, Ordering::Relaxed);
        return true;
    }
    if fault!("count-compared-and-exchanged") {
        let mut before = asked.load(Ordering::Relaxed);
        while let Err(now) =
            asked.compare_exchange(before, before + 1, Ordering::Relaxed, Ordering::Relaxed)
        {
            before = now;
        }
        return true;
    }
    false
}

/// Takes a free ticket: the last, or the first.
pub(super) fn choose(free: &mut Vec<u32>) -> Option<u32> {
    if fault!("lowest-ticket-first") {
        return (!free.is_empty()).then(|| free.remove(0));
    }
    free.pop()
}

/// Sells in a wrong way.
pub(super) fn sell(office: &Office) -> Option<Option<u32>> {
    if fault!("looks-then-takes") {
        let seen = { office.desk().free.last().copied() };
        let mut desk = office.desk();
        let Some(ticket) = seen.filter(|_| desk.open) else { return Some(None) };
        desk.free.retain(|free| *free != ticket);
        desk.sold += 1;
        return Some(Some(ticket));
    }
    if fault!("busy-is-sold-out") {
        return Some(match office.desk.try_lock() {
            Ok(mut desk) => desk.sell(),
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => None,
        });
    }
    if fault!("open-seen-before") {
        if !{ office.desk().open } {
            return Some(None);
        }
        let mut desk = office.desk();
        let ticket = desk.free.pop();
        desk.sold += usize::from(ticket.is_some());
        return Some(ticket);
    }
    if fault!("counted-after-the-sale") {
        let mut desk = office.desk();
        let ticket = if desk.open { desk.free.pop() } else { None };
        drop(desk);
        if ticket.is_some() {
            office.desk().sold += 1;
        }
        return Some(ticket);
    }
    None
}

/// Waits in a wrong way.
pub(super) fn wait(office: &Office) -> Option<Option<u32>> {
    if fault!("looks-then-waits") {
        loop {
            let ticket = office.desk().sell();
            let desk = office.desk();
            if ticket.is_some() || !desk.open {
                return Some(ticket);
            }
            drop(office.changed.wait(desk).unwrap());
        }
    }
    if fault!("woken-is-served") {
        let mut desk = office.desk();
        let ticket = desk.sell();
        if ticket.is_some() || !desk.open {
            return Some(ticket);
        }
        return Some(office.changed.wait(desk).unwrap().sell());
    }
    None
}

/// Takes tickets back in another way. Returns whether it did.
pub(super) fn refund(office: &Office, tickets: &[u32]) -> bool {
    if fault!("wakes-one-for-all") {
        office.desk().free.extend(tickets);
        office.changed.notify_one();
        return true;
    }
    if fault!("wakes-before-it-puts") {
        office.changed.notify_all();
        office.desk().free.extend(tickets);
        return true;
    }
    if fault!("wakes-one-for-each") {
        office.desk().free.extend(tickets);
        tickets.iter().for_each(|_| office.changed.notify_one());
        return true;
    }
    false
}

/// Moves a ticket in another way.
pub(super) fn move_ticket(from: &Office, to: &Office) -> Option<bool> {
    if fault!("own-desk-first") {
        let mut source = from.desk();
        let mut target = to.desk();
        let Some(ticket) = source.free.pop() else { return Some(false) };
        target.free.push(ticket);
        to.changed.notify_all();
        return Some(true);
    }
    let keeps = fault!("keeps-a-desk-and-retries");
    if keeps || fault!("gives-way-and-retries") {
        loop {
            let mut source = from.desk();
            let mut target = to.desk.try_lock();
            while keeps && target.is_err() {
                drop(target);
                yield_now();
                target = to.desk.try_lock();
            }
            if let Ok(target) = &mut target {
                let Some(ticket) = source.free.pop() else { return Some(false) };
                target.free.push(ticket);
                to.changed.notify_all();
                return Some(true);
            }
            drop((source, target));
            yield_now();
        }
    }
    if fault!("moved-in-silence") {
        let (mut source, mut target) = Office::both(from, to);
        let Some(ticket) = source.free.pop() else { return Some(false) };
        target.free.push(ticket);
        return Some(true);
    }
    None
}

/// Closes in a wrong way.
pub(super) fn close(office: &Office) -> Option<Option<Report>> {
    if fault!("close-wakes-one") {
        let mut desk = office.desk();
        if !std::mem::replace(&mut desk.open, false) {
            return Some(None);
        }
        office.changed.notify_one();
        return Some(Some(Report { sold: desk.sold }));
    }
    if fault!("wakes-before-it-closes") {
        office.changed.notify_all();
        let mut desk = office.desk();
        let was_open = std::mem::replace(&mut desk.open, false);
        return Some(was_open.then_some(Report { sold: desk.sold }));
    }
    if fault!("closed-twice") {
        if !{ office.desk().open } {
            return Some(None);
        }
        let mut desk = office.desk();
        desk.open = false;
        office.changed.notify_all();
        return Some(Some(Report { sold: desk.sold }));
    }
    if fault!("reported-then-closed") {
        let report = {
            let desk = office.desk();
            desk.open.then_some(Report { sold: desk.sold })
        };
        let was_open = std::mem::replace(&mut office.desk().open, false);
        office.changed.notify_all();
        return Some(report.filter(|_| was_open));
    }
    None
}

/// Loads the programme in a wrong way, or gives the loader back.
pub(super) fn programme<L: FnOnce() -> String>(office: &Office, load: L) -> Result<Arc<str>, L> {
    let twice = fault!("loaded-twice");
    if twice || fault!("published-before-it-is-full") {
        let mut programme = office.programme.lock().unwrap();
        if let Some(loaded) = &*programme {
            return Ok(Arc::clone(loaded));
        }
        if !twice {
            *programme = Some("".into());
        }
        drop(programme);
        let loaded: Arc<str> = load().into();
        *office.programme.lock().unwrap() = Some(Arc::clone(&loaded));
        return Ok(loaded);
    }
    Err(load)
}
