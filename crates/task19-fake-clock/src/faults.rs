//! The faults, and the other right programs, that `COURSE_FAULT` switches on. Think of your own
//! faults before you look.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use testenv::fault;
use tokio::time::{Interval, interval};

use crate::clock::Reading;
use crate::{Entry, ExpiringMap};

/// What some faults remember.
pub(crate) struct Past {
    reading: Reading,
    inserts: u64,
}

impl Past {
    pub(crate) fn new(reading: Reading) -> Past {
        Past { reading, inserts: 0 }
    }

    /// Returns the reading that an insert uses, given the present one.
    pub(crate) fn at_insert(&mut self, present: Reading) -> Reading {
        self.inserts += 1;
        if fault!("idle-time-counted") {
            return Reading { now: self.reading.now, ..present };
        }
        self.reading = present;
        present
    }

    /// Returns the reading that a read uses, given the present one.
    pub(crate) fn at_read(&mut self, present: Reading) -> Reading {
        if fault!("cached-now") {
            return self.reading;
        }
        self.reading = present;
        present
    }
}

pub(crate) fn ttl(ttl: Duration) -> Duration {
    if fault!("a-month-at-most") {
        return ttl.min(Duration::from_secs(30 * 86_400));
    }
    if fault!("milliseconds-as-seconds") {
        return Duration::from_secs(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    }
    ttl
}

/// Returns the entry to store, given the entry that was there and the one that was inserted.
pub(crate) fn replacing<V>(old: Option<&Entry<V>>, new: Entry<V>) -> Entry<V> {
    match old {
        Some(old) if fault!("old-expiry-stays") => Entry { ttl: old.ttl, since: old.since, ..new },
        _ => new,
    }
}

pub(crate) fn before_read<V>(entries: &mut HashMap<String, Entry<V>>, key: &str, reading: Reading) {
    if fault!("read-extends-life")
        && let Some(entry) = entries.get_mut(key).filter(|entry| !entry.is_over(reading))
    {
        entry.since = reading.now;
    }
    if fault!("removes-on-read") {
        entries.retain(|_, entry| !entry.is_over(reading));
    }
}

/// Returns whether the entry is over, given the answer of the right program.
pub(crate) fn is_over<V>(entry: &Entry<V>, reading: Reading, over: bool) -> bool {
    let age = reading.now.saturating_duration_since(entry.since);
    let wall_age = reading.wall.duration_since(entry.inserted_at);
    if fault!("late-by-a-tick") {
        return age > entry.ttl;
    }
    if fault!("rounded-to-float") {
        return age.as_secs_f32() >= entry.ttl.as_secs_f32();
    }
    if fault!("whole-seconds") {
        return age.as_secs() >= entry.ttl.as_secs();
    }
    if fault!("wall-clock") {
        return wall_age.is_ok_and(|age| age >= entry.ttl);
    }
    if fault!("larger-of-two-ages") {
        return age.max(wall_age.unwrap_or_default()) >= entry.ttl;
    }
    if fault!("fresh-if-set-back") {
        return over && wall_age.is_ok();
    }
    if fault!("keeps-the-end") {
        return entry.since.checked_add(entry.ttl).is_some_and(|end| end <= reading.now);
    }
    over
}

pub(crate) fn inserted_at<V>(entry: &Entry<V>, reading: Reading) -> SystemTime {
    if fault!("inserted-at-computed") {
        return reading.wall - reading.now.saturating_duration_since(entry.since);
    }
    entry.inserted_at
}

/// Returns the moments at which the sweeper sweeps.
pub(crate) fn ticks(period: Duration) -> Interval {
    if fault!("sweeps-twice-a-period") {
        return interval(period / 2);
    }
    let mut ticks = interval(period);
    if fault!("first-sweep-later") {
        ticks.reset();
    }
    ticks
}

/// Returns the reading that a sweep uses, given the map's own one.
pub(crate) fn reading_of_sweep(reading: Reading) -> Reading {
    if fault!("sweeper-reads-tokio") {
        #[expect(clippy::disallowed_methods, reason = "this is the fault")]
        let now = tokio::time::Instant::now().into_std();
        return Reading { now, ..reading };
    }
    reading
}

pub(crate) fn is_swept<V>(entry: &Entry<V>, reading: Reading, period: Duration) -> bool {
    if fault!("period-taken-for-ttl") {
        return reading.now.saturating_duration_since(entry.since) >= period;
    }
    entry.is_over(reading)
}

/// Sweeps when nothing was inserted for a whole period.
pub(crate) async fn sweep_when_idle<V: Clone + Send + 'static>(
    map: ExpiringMap<V>,
    period: Duration,
) {
    let mut ticks = ticks(period);
    let mut seen = 0;
    loop {
        ticks.tick().await;
        let inserts = map.table().past.inserts;
        if inserts == seen {
            map.sweep(map.read_clock(), period);
        }
        seen = inserts;
    }
}
