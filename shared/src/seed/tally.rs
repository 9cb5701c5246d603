//! What a stream gave, as one line of a file. So two runs can be compared value by value.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::{fmt, mem};

use sha2::{Digest as _, Sha256};

use super::LOG_VAR;

/// The numbers of one stream so far.
pub(super) struct Tally {
    log: PathBuf,
    name: String,
    numbers: u64,
    drawn: Sha256,
}

impl Tally {
    /// `None` if nobody wants to know.
    pub(super) fn new(name: impl FnOnce() -> String) -> Option<Tally> {
        let log = env::var_os(LOG_VAR).filter(|log| !log.is_empty())?;
        Some(Tally { log: log.into(), name: name(), numbers: 0, drawn: Sha256::new() })
    }

    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    pub(super) fn note(&mut self, bytes: &[u8]) {
        self.numbers += 1;
        self.drawn.update(bytes);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if self.numbers == 0 {
            return;
        }
        let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
        let drawn = mem::take(&mut self.drawn).finalize();
        let drawn: String = drawn.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let line = format!("{package} {}: {} numbers, {drawn}\n", self.name, self.numbers);
        // One call for the whole line: other processes append, too.
        let file = OpenOptions::new().create(true).append(true).open(&self.log);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            let told = format!("testenv: seed: cannot append to {}: {error}\n", self.log.display());
            std::io::stderr().write_all(told.as_bytes()).ok(); // nobody is left to be told
        }
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
