//! Where a run writes its seed.

use std::sync::{Arc, Mutex, PoisonError};

/// Keeps the lines that were written, and prints them to standard error. Clones share the lines.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    /// Returns an empty log.
    pub fn new() -> Log {
        Log::default()
    }

    /// Writes one line.
    pub fn say(&self, line: &str) {
        eprintln!("{line}");
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
