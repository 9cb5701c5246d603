//! Kept servers, as the user's cache knows them: whose they are, and who uses them.
//!
//! A kept server outlives its run, so a run's directory cannot stand for it. The directory `reuse` of the [`cache`] does. It holds, for
//! each server, a note (how to log in), a lock for starting and stopping, and a lock for using.
//!
//! ```no_run
//! # fn main() -> Result<(), testenv::Error> {
//! use testenv::reuse::{Claim, OWNER_LABEL, claim, owner};
//!
//! println!("docker ps --filter label={OWNER_LABEL}={}", owner()?);
//! let claimed: Result<Claim, String> = claim("testenv-reuse-postgres-0123456789abcdef")?;
//! match claimed {
//!     Ok(claim) => claim.forget(), // nobody uses it: it may be removed
//!     Err(why) => println!("left alone: {why}"),
//! }
//! # Ok(()) }
//! ```
//!
//! Invariant: a kept server is removed only by who holds both of its locks exclusively, and every process that uses it holds the second one until it ends.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::programs::{CACHE_VAR, cache};
use crate::{Error, wait};

/// The label of a kept server's container with the word of its [`owner`].
pub const OWNER_LABEL: &str = "testenv.reuse.owner";

/// What the names of kept containers begin with; the names of their files end as theirs do.
pub(crate) const NAME: &str = "testenv-reuse-";

/// Starts or stops the server.
pub(crate) const LOCK: &str = "lock";
/// Uses the server.
const USERS: &str = "users";
/// How to log in.
#[cfg(all(feature = "integration", feature = "service"))]
pub(crate) const NOTE: &str = "note";

/// A run uses its servers for as long as the reaper's grace lasts, and a moment more.
const ENDING_LIMIT: Duration = Duration::from_secs(4);

/// The word of this user on this machine with this cache: a server of another owner is neither used nor stopped.
///
/// A home directory may be shared by machines, an engine by machines and users, a user id by containers, so none of these is enough alone.
///
/// # Errors
///
/// When the cache cannot be read or written.
pub fn owner() -> Result<String, Error> {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    Ok(word(&cache_id()?, &host.to_string_lossy(), machine.trim()))
}

fn word(cache: &str, host: &str, machine: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (cache, host, machine, nix::unistd::getuid().as_raw()).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The right to remove a kept server.
#[derive(Debug)]
#[must_use = "a claim that is dropped claims nothing"]
pub struct Claim {
    files: Vec<PathBuf>,
    _locks: [File; 2],
}

impl Claim {
    /// Removes what the cache knows of the server. Call it when the container is gone.
    pub fn forget(self) {
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
pub fn claim(container: &str) -> Result<Result<Claim, String>, Error> {
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
#[cfg(feature = "tools")]
pub(crate) fn is_used(container: &str) -> Result<bool, Error> {
    let path = users(container.strip_prefix(NAME).unwrap_or(container))?;
    // Held for a moment: a run that wants the lock now waits for 20 s.
    Ok(path.exists() && open(&path)?.try_lock().is_err())
}

/// The file whose shared lock says that a process uses the server.
pub(crate) fn users(name: &str) -> Result<PathBuf, Error> {
    Ok(dir()?.join(format!("{name}.{USERS}")))
}

/// The directory of notes and locks, which is the user's alone.
pub(crate) fn dir() -> Result<PathBuf, Error> {
    let dir = cache().join("reuse");
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    let private = made.and_then(|()| {
        // One of an earlier version was open to all.
        let mode = dir.metadata()?.permissions().mode() & 0o777;
        if mode == 0o700 {
            Ok(())
        } else {
            std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o700))
        }
    });
    private.map_err(|cause| unwritable(&dir, &cause))?;
    Ok(dir)
}

pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let opened = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path);
    opened.map_err(|cause| unwritable(path, &cause))
}

/// Writes a file that nobody sees half-written, and nobody but the user reads.
#[cfg(all(feature = "integration", feature = "service"))]
pub(crate) fn publish(path: &Path, text: &str) -> Result<(), Error> {
    let scratch = scratch(path, text).map_err(|cause| unwritable(path, &cause))?;
    std::fs::rename(&scratch, path).map_err(|cause| unwritable(path, &cause))
}

fn scratch(path: &Path, text: &str) -> io::Result<PathBuf> {
    let scratch = path.with_extension(crate::secret::word());
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&scratch)?;
    file.write_all(text.as_bytes())?;
    Ok(scratch)
}

/// A word that no other cache has: two containers can have one path, one host's name and one machine's id.
fn cache_id() -> Result<String, Error> {
    let path = dir()?.join("id");
    let read = || std::fs::read_to_string(&path).map_err(|cause| unwritable(&path, &cause));
    if !path.exists() {
        let made = scratch(&path, &crate::secret::word()).and_then(|scratch| {
            // Not renamed: of two that come at once the first one's word stays.
            let linked = std::fs::hard_link(&scratch, &path);
            std::fs::remove_file(&scratch)?;
            linked.or_else(|error| if path.exists() { Ok(()) } else { Err(error) })
        });
        made.map_err(|cause| unwritable(&path, &cause))?;
    }
    read()
}

fn unwritable(path: &Path, cause: &io::Error) -> Error {
    Error::new(format!("cannot read and write {}", path.display()))
        .cause(cause)
        .fix(format!("export {CACHE_VAR}=<a directory of yours that can be written>"))
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn two_machines_two_caches_and_two_hosts_are_different_owners() {
        let one = word("cache", "host", "machine");

        assert_eq!(word("cache", "host", "machine"), one);
        for other in [
            word("other", "host", "machine"),
            word("cache", "other", "machine"),
            word("cache", "host", "other"),
        ] {
            assert_ne!(other, one);
        }
    }
}
