//! Random words from the system's random source, and the files that contain secrets.
//!
//! A unique name and a password use different words, so the name says nothing about the password.
//!
//! Invariant: no word is derived from another. A secret is written only to files that only their
//! owner can read. Everybody on the machine can read a command line. Everybody who may use the
//! engine can read a container's environment and arguments.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// 64 random bits in hexadecimal digits, for a name that no other has.
pub(crate) fn word() -> String {
    format!("{:016x}", bits())
}

/// 128 random bits in hexadecimal digits, for a password. It needs no quotes in a URL, a shell or a
/// configuration file.
pub(crate) fn password() -> String {
    word() + &word()
}

#[expect(clippy::disallowed_methods, reason = "names and passwords may not be repeatable")]
pub(crate) fn bits() -> u64 {
    getrandom::u64().expect("the system has a random source")
}

/// Writes a file that only its owner can read, whatever the umask. An existing file is replaced.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    // The mode above is for a new file only.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_with_a_secret_is_for_its_owner_only_also_where_it_was_for_all_before() {
        let dir = tempfile::tempdir().unwrap();
        let (new, old) = (dir.path().join("new"), dir.path().join("old"));
        std::fs::write(&old, "longer than before").unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o666)).unwrap();

        for path in [new, old] {
            super::write(&path, "hunter2").unwrap();

            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!((mode, std::fs::read_to_string(&path).unwrap()), (0o600, "hunter2".into()));
        }
    }
}
