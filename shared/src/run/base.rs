//! The directory that holds the directories of all runs of this user.
//!
//! Invariant: whoever joins, sweeps or removes a run's directory holds the base's lock while doing so. Nobody holds it while waiting for anything
//! slower than the start of a process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::Error;

/// Where runs live, in the place of `<temporary directory>/testenv-<user>`.
pub const DIR_VAR: &str = "TESTENV_DIR";

const LOCK: &str = ".lock";

/// The base, locked until dropped.
pub(crate) struct Base {
    path: PathBuf,
    _lock: File,
}

impl Base {
    /// Makes the directory where it is missing, and locks it.
    pub(crate) fn lock() -> Result<Base, Error> {
        let path = path();
        loop {
            make_private(&path).map_err(|cause| unusable(&path, &cause))?;
            let at = path.join(LOCK);
            let lock = match OpenOptions::new().create(true).append(true).open(&at) {
                Ok(file) => file,
                // Removed by the last run's keeper since `make_private`.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unusable(&path, &error)),
            };
            lock.lock().map_err(|cause| unusable(&path, &cause))?;
            if is_still_at(&lock, &at) {
                return Ok(Base { path, _lock: lock });
            }
        }
    }

    pub(crate) fn run_dir(&self, id: &str) -> PathBuf {
        self.path.join(id)
    }

    /// The directories of all runs.
    pub(crate) fn run_dirs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }

    /// Removes the base itself when no run is left in it.
    pub(crate) fn remove_if_empty(self) {
        if self.run_dirs().is_empty() {
            // Whoever waits for the lock sees that its file is gone and makes a new one.
            let _left = std::fs::remove_file(self.path.join(LOCK));
            let _left = std::fs::remove_dir(&self.path);
        }
    }
}

/// The base's path, made or not.
pub(crate) fn path() -> PathBuf {
    match std::env::var_os(DIR_VAR) {
        // The keeper works from `/`.
        Some(dir) if !dir.is_empty() => std::path::absolute(&dir).unwrap_or_else(|_| dir.into()),
        _ => std::env::temp_dir().join(format!("testenv-{}", nix::unistd::getuid())),
    }
}

/// Whether the open file is still the one that the path leads to.
pub(crate) fn is_still_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), path.metadata()) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // Somebody else's directory under a name that we would use could be a trap: on a shared machine /tmp is everybody's.
    if path.metadata()?.uid() != nix::unistd::getuid().as_raw() {
        return Err(io::Error::other("the directory belongs to another user"));
    }
    Ok(())
}

fn unusable(path: &Path, cause: &io::Error) -> Error {
    Error::new(format!("cannot keep the run's state in {}", path.display())).cause(cause).fix(
        format!("export {DIR_VAR}=<a directory of yours that can be written, with space left>"),
    )
}
