//! The directory for what outlives a single test process on disk.

use std::path::PathBuf;

/// The variable with the directory, instead of the temporary one: for a runner that gives each test
/// process a `TMPDIR` of its own, which goes with the process. It must exist.
pub const TMPDIR_VAR: &str = "TESTENV_TMPDIR";

/// Where runs and the data of servers are, unless something more specific is set.
pub(crate) fn dir() -> PathBuf {
    let given = std::env::var_os(TMPDIR_VAR).filter(|dir| !dir.is_empty());
    let dir = given.map_or_else(std::env::temp_dir, PathBuf::from);
    // The reaper works from `/`.
    std::path::absolute(&dir).unwrap_or(dir)
}
