#![doc = "[before]: ../task18_http_stubs/index.html\n[next]: ../task20_snapshot/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod clock;
mod sweeper;
mod faults;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use testenv::fault;

use clock::Reading;
pub use clock::{Clock, SystemClock};
pub use sweeper::Sweeper;

/// A map in memory whose entries expire, each after a time of its own. Clones share the entries.
///
/// ```
/// use std::time::Duration;
/// use task19_fake_clock::{ExpiringMap, SystemClock};
///
/// let prices = ExpiringMap::new(SystemClock);
/// prices.insert("apple", 120, Duration::from_secs(3600));
///
/// assert_eq!(prices.get("apple"), Some(120));
/// ```
#[derive(Clone)]
pub struct ExpiringMap<V> {
    inner: Arc<Inner<V>>,
}

struct Inner<V> {
    clock: Box<dyn Clock>,
    table: Mutex<Table<V>>,
}

struct Table<V> {
    entries: HashMap<String, Entry<V>>,
    past: faults::Past,
}

struct Entry<V> {
    value: V,
    ttl: Duration,
    since: Instant,
    inserted_at: SystemTime,
}

impl<V: Clone + Send + 'static> ExpiringMap<V> {
    /// Returns an empty map that takes every time from `clock`.
    pub fn new(clock: impl Clock) -> ExpiringMap<V> {
        let past = faults::Past::new(Reading::of(&clock));
        let table = Mutex::new(Table { entries: HashMap::new(), past });
        ExpiringMap { inner: Arc::new(Inner { clock: Box::new(clock), table }) }
    }

    /// Inserts the value for `ttl` from now. Replaces the entry that was there.
    pub fn insert(&self, key: &str, value: V, ttl: Duration) {
        let mut table = self.table();
        let Reading { now, wall } = table.past.at_insert(self.read_clock());
        let entry = Entry { value, ttl: faults::ttl(ttl), since: now, inserted_at: wall };
        let entry = faults::replacing(table.entries.get(key), entry);
        table.entries.insert(key.to_owned(), entry);
    }

    /// Returns the value, or `None` if there is no entry or its time is over.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<V> {
        self.read(key, |entry, _| entry.value.clone())
    }

    /// Returns the date and time at which the entry was inserted, as the wall clock told them then.
    #[must_use]
    pub fn inserted_at(&self, key: &str) -> Option<SystemTime> {
        self.read(key, faults::inserted_at)
    }

    /// Returns the number of entries whose time is not over.
    #[must_use]
    pub fn len(&self) -> usize {
        let (mut table, reading) = (self.table(), self.read_clock());
        let reading = table.past.at_read(reading);
        if fault!("len-counts-expired") {
            return table.entries.len();
        }
        table.entries.values().filter(|entry| !entry.is_over(reading)).count()
    }

    /// Returns whether no entry is left whose time is not over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read<T>(&self, key: &str, part: impl Fn(&Entry<V>, Reading) -> T) -> Option<T> {
        let (mut table, reading) = (self.table(), self.read_clock());
        let reading = table.past.at_read(reading);
        faults::before_read(&mut table.entries, key, reading);
        table.entries.get(key).filter(|e| !e.is_over(reading)).map(|entry| part(entry, reading))
    }

    fn read_clock(&self) -> Reading {
        Reading::of(&*self.inner.clock)
    }

    fn table(&self) -> MutexGuard<'_, Table<V>> {
        self.inner.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Entry<V> {
    fn is_over(&self, reading: Reading) -> bool {
        // Not `since + ttl <= now`: the sum overflows for a time like `Duration::MAX`.
        let over = reading.now.saturating_duration_since(self.since) >= self.ttl;
        faults::is_over(self, reading, over)
    }
}
