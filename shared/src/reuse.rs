//! Kept servers, as the user's cache knows them: whose they are, and who uses them.
//!
//! A kept server outlives its run, so a run's directory cannot stand for it. The directory `reuse` of the [`cache`] does. It holds, for
//! each server, a note (how to log in), a lock for starting and stopping, and a lock for using.
//!
//! Invariant: a kept server is removed only by who holds both of its locks exclusively, and every process that uses it holds the second one until it ends.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::programs::{CACHE_VAR, cache};
use crate::{Error, Heading};

/// `1` keeps servers between runs, on a developer's machine only.
pub(crate) const REUSE_VAR: &str = "TESTENV_REUSE";

/// The label of a kept server's container: the hash by which it is found again.
pub(crate) const REUSE_LABEL: &str = "testenv.reuse";

/// The label of a kept server's container with the word of its [`owner`].
pub(crate) const OWNER_LABEL: &str = "testenv.reuse.owner";

/// What the names of kept containers begin with; the names of their files end as theirs do.
pub(crate) const NAME: &str = "testenv-reuse-";

/// Starts or stops the server.
pub(crate) const LOCK: &str = "lock";
/// Uses the server.
const USERS: &str = "users";
/// How to log in.
pub(crate) const NOTE: &str = "note";

/// The word of this user on this machine with this cache: a server of another owner is neither used nor stopped.
///
/// A home directory may be shared by machines, an engine by machines and users, a user id by containers, so none of these is enough alone.
///
/// # Errors
///
/// When the cache cannot be read or written.
pub(crate) fn owner() -> Result<String, Error> {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    Ok(word(&cache_id()?, &host.to_string_lossy(), machine.trim()))
}

fn word(cache: &str, host: &str, machine: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (cache, host, machine, nix::unistd::getuid().as_raw()).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
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
    Error::under(Heading::Kept, format!("cannot read and write {}", path.display()))
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
