//! Frees the memory of expired entries, in the background.
//!
//! tokio's clock says when to sweep. The map's [`Clock`](crate::Clock) says which entries are over.

use std::time::Duration;

use testenv::fault;
use tokio::task::AbortHandle;

use crate::clock::Reading;
use crate::{ExpiringMap, faults};

/// A running sweeper. Dropping the guard stops the sweeper.
#[must_use = "dropping the guard stops the sweeper; bind it to a variable"]
pub struct Sweeper(AbortHandle);

impl<V: Clone + Send + 'static> ExpiringMap<V> {
    /// Starts a task that frees the entries whose time is over, once per `period` of tokio's time.
    /// Without a sweeper, expired entries stay in memory.
    ///
    /// # Panics
    ///
    /// If `period` is zero, or outside a tokio runtime that has a timer.
    pub fn start_sweeper(&self, period: Duration) -> Sweeper {
        let map = self.clone();
        if fault!("sweeper-postponed") {
            return Sweeper(tokio::spawn(faults::sweep_when_idle(map, period)).abort_handle());
        }
        let mut ticks = faults::ticks(period);
        let task = tokio::spawn(async move {
            loop {
                ticks.tick().await;
                map.sweep(map.read_clock(), period);
            }
        });
        Sweeper(task.abort_handle())
    }

    pub(crate) fn sweep(&self, reading: Reading, period: Duration) {
        let reading = faults::reading_of_sweep(reading);
        let is_kept = |entry: &_| !faults::is_swept(entry, reading, period);
        self.table().entries.retain(|_, entry| is_kept(entry));
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        if fault!("sweeper-detached") {
            return;
        }
        self.0.abort();
    }
}
