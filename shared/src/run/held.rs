//! Locks that a run holds until it ends. Each process of the run holds a lock from its first use
//! on. The reaper holds the lock from then until the run ends, because under some runners there are
//! moments without any process.
//!
//! Each lock is a file in `<run>/held/` with the path of the lock.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use std::{sync::Mutex, time::Duration};

use crate::{Error, wait};

use super::layout::unwritable;
use super::member::Run;

/// Whoever has a lock exclusively holds it for the second that the removal of a server takes.
const LIMIT: Duration = Duration::from_secs(20);

/// Makes this process, and from now on its run, hold a lock that is shared with others.
///
/// # Errors
///
/// When the lock cannot be opened, when somebody has it exclusively, or when the run's directory
/// cannot be written.
pub(crate) async fn hold(run: &Run, lock: &Path) -> Result<(), Error> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    take(lock).await?;
    let dir = dir(&run.dir);
    let written = std::fs::create_dir_all(&dir).and_then(|()| {
        // Of the same name in every process, and outside of what is read until it is whole.
        let mut hasher = DefaultHasher::new();
        lock.hash(&mut hasher);
        let scratch = run.dir.join(format!("held-{}", crate::secret::word()));
        std::fs::write(&scratch, lock.as_os_str().as_encoded_bytes())?;
        std::fs::rename(scratch, dir.join(format!("{:016x}", hasher.finish())))
    });
    written.map_err(|cause| unwritable(&dir, &cause))
}

/// Makes this process hold the locks that its run holds.
///
/// # Errors
///
/// As [`hold`].
pub(crate) async fn hold_all(run: &Run) -> Result<(), Error> {
    for note in notes(&run.dir) {
        take(&lock(&note)).await?;
    }
    Ok(())
}

async fn take(lock: &Path) -> Result<(), Error> {
    /// The kernel drops the locks when the process ends, however it ends.
    static TAKEN: Mutex<Vec<(PathBuf, File)>> = Mutex::new(Vec::new());
    let taken = || TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if taken().iter().any(|(path, _)| path == lock) {
        return Ok(());
    }
    let file = open(lock).map_err(|cause| unwritable(lock, &cause))?;
    let what = format!("the lock {}, which another process holds alone", lock.display());
    wait::until(LIMIT, &what, async || file.try_lock_shared()).await?;
    taken().push((lock.to_owned(), file));
    Ok(())
}

/// The locks that the reaper holds.
#[derive(Default)]
pub(super) struct Held {
    locks: HashMap<PathBuf, File>,
}

impl Held {
    /// Takes the locks that were noted since the last look. The process that noted a lock still
    /// holds it.
    pub(super) fn refresh(&mut self, run: &Path) {
        for note in notes(run) {
            if self.locks.contains_key(&note) {
                continue;
            }
            let Ok(file) = open(&lock(&note)) else { continue };
            if file.try_lock_shared().is_ok() {
                self.locks.insert(note, file);
            }
        }
    }
}

fn open(lock: &Path) -> std::io::Result<File> {
    File::options().create(true).append(true).read(true).mode(0o600).open(lock)
}

fn dir(run: &Path) -> PathBuf {
    run.join("held")
}

fn notes(run: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir(run)).into_iter().flatten().flatten().map(|note| note.path()).collect()
}

fn lock(note: &Path) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(std::fs::read(note).unwrap_or_default()).into()
}
