//! Who may stop a kept server: only who holds both of its locks exclusively.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use crate::reuse::{LOCK, NAME, dir, open, users};
use crate::{Error, wait};

/// A run uses its servers for as long as the reaper's grace lasts, and a moment more.
const ENDING_LIMIT: Duration = Duration::from_secs(4);

/// The right to remove a kept server.
#[derive(Debug)]
#[must_use = "a claim that is dropped claims nothing"]
pub(super) struct Claim {
    files: Vec<PathBuf>,
    _locks: [File; 2],
}

impl Claim {
    /// Removes what the cache knows of the server. Call it when the container is gone.
    pub(super) fn forget(self) {
        for file in &self.files {
            // What is left is a note of a server that is gone, which the next run replaces.
            std::fs::remove_file(file).ok();
        }
    }
}

/// Claims the kept server whose container has this name; else says who stands in the way. Waits for a run that is ending.
///
/// # Errors
///
/// When the cache cannot be written.
pub(super) fn claim(container: &str) -> Result<Result<Claim, String>, Error> {
    let Some(name) = container.strip_prefix(NAME) else {
        return Ok(Err(format!("{container} is no name of a kept server")));
    };
    let starting = open(&dir()?.join(format!("{name}.{LOCK}")))?;
    if starting.try_lock().is_err() {
        return Ok(Err("another process is starting or stopping it".into()));
    }
    let using = open(&users(name)?)?;
    let what = "the end of the runs that use it";
    if wait::until_blocking(ENDING_LIMIT, what, || using.try_lock()).is_err() {
        return Ok(Err("a live run uses it".into()));
    }
    // The locks stay: whoever waits for one would else hold the lock of a file that nobody else opens.
    let files = vec![dir()?.join(format!("{name}.note"))];
    Ok(Ok(Claim { files, _locks: [starting, using] }))
}

/// Whether a live process uses the kept server whose container has this name.
///
/// # Errors
///
/// When the cache cannot be read.
pub(super) fn is_used(container: &str) -> Result<bool, Error> {
    let path = users(container.strip_prefix(NAME).unwrap_or(container))?;
    // Held for a moment: a run that wants the lock now waits for 20 s.
    Ok(path.exists() && open(&path)?.try_lock().is_err())
}
