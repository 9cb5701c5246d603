//! The base: the directory that holds the directories of all runs of this user. It is
//! `testenv-runs-<user>`, below the temporary directory or below the one that the user names.
//!
//! The harness creates the base and marks it. A directory of this name without the mark belongs to
//! somebody else and is refused. If the user names a directory, the harness never looks at anything
//! else in it.
//!
//! Invariant: whoever joins, sweeps or removes a run's directory holds the base's lock meanwhile.
//! Nobody holds this lock while waiting for anything slower than the start of a process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::known;
use super::layout::{self, DIR_VAR, MEMBERS, TOKEN};
use crate::secret::word;
use crate::{Error, Heading, wait};

/// The start of a base's name. The user's number follows.
pub(super) const PREFIX: &str = "testenv-runs-";

/// The name of the file that is locked. Its content marks the base as created by the harness.
const LOCK: &str = ".lock";
const MARK: &str = "testenv keeps its runs here, and removes this directory after the last.\n";

/// The prefix of an incomplete directory. A run has its own name only while it is complete, so a
/// process that died left this one.
const SCRATCH: &str = ".new-";
/// A base is made and removed in less than a millisecond.
const OLD: Duration = Duration::from_mins(1);

/// The lock is held for the start of a process, which takes tens of milliseconds, by each of a
/// hundred processes that start at once.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

/// Sixteen processes that start at once wait for each other. With a longer pause, the last one
/// would wait for its next look.
const LOOK: Duration = Duration::from_millis(2);

/// The base, locked until dropped.
pub(crate) struct Base {
    path: PathBuf,
    _lock: File,
}

impl Base {
    /// Creates the base if it is missing, and locks it.
    pub(crate) fn lock() -> Result<Base, Error> {
        Base::lock_at(&path())
    }

    fn lock_at(path: &Path) -> Result<Base, Error> {
        loop {
            make(path).map_err(|cause| unusable(path, &cause))?;
            known::note(path);
            if let Some(base) = Base::lock_existing(path)? {
                return Ok(base);
            }
            // Removed by the last run's reaper since it was made.
        }
    }

    /// Locks a base that may be gone. `None` if it is gone.
    pub(crate) fn lock_existing(path: &Path) -> Result<Option<Base>, Error> {
        Base::lock_within(path, LOCK_LIMIT)
    }

    fn lock_within(path: &Path, limit: Duration) -> Result<Option<Base>, Error> {
        match check(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            checked => checked.map_err(|cause| unusable(path, &cause))?,
        }
        let at = path.join(LOCK);
        let lock = match OpenOptions::new().append(true).open(&at) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(path, &error)),
        };
        let what = format!("the lock of {}, which another process holds", path.display());
        wait::until_blocking_every(LOOK, limit, &what, || lock.try_lock()).map_err(|error| {
            error.fix("resume or end the stopped process that holds the lock: jobs -l, fg")
        })?;
        Ok(is_still_at(&lock, &at).then(|| Base { path: path.to_owned(), _lock: lock }))
    }

    pub(crate) fn run_dir(&self, id: &str) -> PathBuf {
        self.path.join(id)
    }

    /// The directories of all runs that the harness created and completed. A link does not count.
    pub(crate) fn run_dirs(&self) -> Vec<PathBuf> {
        Base::runs_in(&self.path)
    }

    /// The runs in a base that nobody has locked. A run may end meanwhile.
    pub(crate) fn runs_in(path: &Path) -> Vec<PathBuf> {
        dirs(path).filter(|dir| is_run(dir)).collect()
    }

    /// Creates a directory that contains `files` from the first moment in which others can see it.
    pub(crate) fn make_run(&self, dir: &Path, files: &[(&str, &str)]) -> io::Result<()> {
        complete(&self.path, dir, |scratch| {
            std::fs::create_dir(layout::notes(scratch))?;
            files
                .iter()
                .try_for_each(|(name, text)| crate::secret::write(&scratch.join(name), text))
        })
    }

    /// Removes a run's directory. Whoever looks sees all of it or nothing, never a run without its
    /// reaper's file or log.
    pub(crate) fn remove_run(&self, dir: &Path) {
        let scratch = scratch_in(&self.path);
        // The next run's sweep tries again.
        if std::fs::rename(dir, &scratch).is_ok() {
            std::fs::remove_dir_all(scratch).ok();
        }
    }

    /// Removes what a process left that died while it created or removed a run. That process held
    /// the lock that we hold now.
    pub(crate) fn remove_scratch(&self) {
        let is_scratch = |dir: &PathBuf| {
            dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SCRATCH))
        };
        for dir in dirs(&self.path).filter(is_scratch) {
            std::fs::remove_dir_all(dir).ok(); // the next run tries again
        }
    }

    /// Removes the base itself if only its mark is left in it.
    pub(crate) fn remove_if_empty(self) {
        if !has_only_its_mark(&self.path) {
            return;
        }
        // Whoever makes the next base notes it; the note of this one must be gone before.
        known::forget(&self.path);
        remove(&self.path);
    }
}

/// The directories in a base, without those that a link leads to.
fn dirs(base: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    let is_dir = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_dir).map(|entry| entry.path())
}

/// The base's path, whether the base exists or not.
pub(crate) fn path() -> PathBuf {
    let parent = match std::env::var_os(DIR_VAR) {
        // The reaper works from `/`.
        Some(dir) if !dir.is_empty() => std::path::absolute(&dir).unwrap_or_else(|_| dir.into()),
        _ => crate::temporary::dir(),
    };
    parent.join(name())
}

/// The base's own name, which is the same in every directory.
pub(super) fn name() -> String {
    format!("{PREFIX}{}", nix::unistd::geteuid())
}

/// Whether the open file is still the one that the path leads to.
pub(crate) fn is_still_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), path.metadata()) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

/// Whether the directory was made by [`Base::make_run`].
fn is_run(dir: &Path) -> bool {
    !dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
        && is_file(&dir.join(MEMBERS))
        && is_file(&dir.join(TOKEN))
}

/// A link to a file is none.
fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_file())
}

/// Makes a base unless there is one. It may be gone again a moment later.
fn make(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return match check(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            checked => checked,
        };
    }
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent)?;
    remove_scratch_beside(path);
    match complete(parent, path, |scratch| crate::secret::write(&scratch.join(LOCK), MARK)) {
        // Another process was quicker. Whether that one is a base is asked when it is locked.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        made => made,
    }
}

/// Removes what processes left that died while they made or removed a base at `path`.
fn remove_scratch_beside(path: &Path) {
    let prefix = format!("{SCRATCH}{}-", name());
    let is_ours = |scratch: &PathBuf| {
        let Ok(found) = scratch.symlink_metadata() else { return false };
        // A younger one may be in the making.
        let is_old = || found.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD));
        scratch.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
            && found.uid() == nix::unistd::geteuid().as_raw()
            && is_old()
    };
    for scratch in dirs(path.parent().unwrap_or(path)).filter(is_ours) {
        if has_only_its_mark(&scratch) {
            remove_marked(&scratch);
        }
    }
}

/// Removes a base, unless somebody has put a file in it. Whoever looks sees the marked base or none;
/// whoever waits for its lock sees that its file is gone, and makes a new one.
fn remove(path: &Path) {
    let scratch = scratch_in(path.parent().unwrap_or(path));
    if std::fs::rename(path, &scratch).is_err() {
        return; // the next run tries again
    }
    if has_only_its_mark(&scratch) {
        remove_marked(&scratch);
    } else {
        std::fs::rename(scratch, path).ok(); // there is a new base: the file stays beside it
    }
}

/// Whether nothing but our mark is in a directory. A process that died may have written half of it.
fn has_only_its_mark(dir: &Path) -> bool {
    let mut entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.all(|entry| {
        entry.file_name() == LOCK
            && is_file(&entry.path())
            && std::fs::read(entry.path()).is_ok_and(|text| MARK.as_bytes().starts_with(&text))
    })
}

fn remove_marked(dir: &Path) {
    std::fs::remove_file(dir.join(LOCK)).ok(); // its maker died before it was written
    std::fs::remove_dir(dir).ok(); // somebody put a file in it a moment ago
}

/// Fails unless the directory is a base: a real directory of ours with the mark.
fn check(path: &Path) -> io::Result<()> {
    let found = path.symlink_metadata()?;
    if !found.is_dir() {
        return Err(io::Error::other("it is not a directory, or it is a link to one"));
    }
    // Somebody else's directory under a name that we would use could be a trap: on a shared machine /tmp is everybody's.
    if found.uid() != nix::unistd::geteuid().as_raw() {
        return Err(io::Error::other("the directory belongs to another user"));
    }
    let dir = File::open(path)?;
    if is_file(&path.join(LOCK)) && std::fs::read(path.join(LOCK))? == MARK.as_bytes() {
        return Ok(());
    }
    // The last run's reaper may have removed it meanwhile, and the next run may have made another one. An open
    // directory keeps its number for itself.
    if !is_still_at(&dir, path) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Err(io::Error::other(format!("the harness did not make it: it has no {LOCK} of ours")))
}

fn scratch_in(parent: &Path) -> PathBuf {
    parent.join(format!("{SCRATCH}{}-{}", name(), word()))
}

/// Makes a directory under a scratch name in `parent`, lets `fill` write into it, and gives it its name.
fn complete(
    parent: &Path,
    dir: &Path,
    fill: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let scratch = scratch_in(parent);
    DirBuilder::new().mode(0o700).create(&scratch)?;
    // A umask may take from the mode above.
    let open = std::fs::set_permissions(&scratch, PermissionsExt::from_mode(0o700));
    let made = open.and_then(|()| fill(&scratch)).and_then(|()| std::fs::rename(&scratch, dir));
    if made.is_err() {
        std::fs::remove_dir_all(&scratch).ok(); // the error says more
    }
    made
}

fn unusable(path: &Path, cause: &io::Error) -> Error {
    Error::under(Heading::State, format!("cannot keep the run's state in {}", path.display()))
        .cause(cause)
        .fix(format!(
            "export {DIR_VAR}=<a directory of yours that can be written, with space left>"
        ))
}

#[cfg(test)]
mod tests;
