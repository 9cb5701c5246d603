//! The directory for what outlives a single test process on disk.

use std::ffi::OsString;
use std::path::PathBuf;

/// The variable with the directory, instead of the temporary one: for a runner that gives each test
/// process a `TMPDIR` of its own, which goes with the process. It must exist.
pub const TMPDIR_VAR: &str = "TESTENV_TMPDIR";

/// The directory for runs and for the data of servers, an absolute path: the value of [`TMPDIR_VAR`],
/// or the temporary directory of this process. `TESTENV_DIR` comes before it for runs.
pub fn dir() -> PathBuf {
    let dir = given().map_or_else(std::env::temp_dir, PathBuf::from);
    // The reaper works from `/`.
    std::path::absolute(&dir).unwrap_or(dir)
}

/// The variable that changes the directory: an error names it as the cure.
#[cfg(all(feature = "integration", feature = "postgres"))]
pub(crate) fn var() -> &'static str {
    if given().is_some() { TMPDIR_VAR } else { "TMPDIR" }
}

fn given() -> Option<OsString> {
    std::env::var_os(TMPDIR_VAR).filter(|dir| !dir.is_empty())
}
