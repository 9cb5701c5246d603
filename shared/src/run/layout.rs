//! The contents of a run's directory, and how they are read and written.

use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Heading};

/// The variable with the directory for runs, instead of the temporary directory. It is created if
/// it is missing, and never removed.
pub const DIR_VAR: &str = "TESTENV_DIR";

/// The file that exists once the command that keeps the run for the next one was killed: then the run
/// ends as any other does. See [`super::RunGuard::given_up`].
pub(super) const GIVEN_UP: &str = "given-up";
pub(super) const MEMBERS: &str = "members";
pub(super) const JOINS: &str = "joins";
pub(super) const RUNNERS: &str = "runners";
pub(super) const TOKEN: &str = "token";
/// What decided which servers are used; see `join`.
pub(super) const ASKED: &str = "asked";
/// The extension of the files that say why something could not be started.
pub(super) const FAILED: &str = "failed";

/// The directory of the run's notes; see `ledger`.
pub(super) fn notes(run: &Path) -> PathBuf {
    run.join("ledger")
}

/// The file that represents an object.
pub(crate) fn note(run: &Path, kind: &str, name: &str) -> PathBuf {
    notes(run).join(format!("{kind}.{name}"))
}

/// Writes a file that nobody sees half-written, and that nobody else can read: the address of a
/// server contains its password.
pub(super) fn publish(path: &Path, text: &str) -> io::Result<()> {
    let scratch = path.with_extension("new");
    crate::secret::write(&scratch, text)?;
    std::fs::rename(scratch, path)
}

pub(crate) fn token(run: &Path) -> String {
    std::fs::read_to_string(run.join(TOKEN)).unwrap_or_default()
}

pub(crate) fn unwritable(path: &Path, cause: &io::Error) -> Error {
    Error::under(Heading::State, format!("cannot write {}", path.display())).cause(cause).fix(
        format!("export {DIR_VAR}=<a directory of yours that can be written, with space left>"),
    )
}
