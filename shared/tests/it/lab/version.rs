//! The version of PostgreSQL with which `cargo course dev versions` tries the promises.

/// `LAB_POSTGRES=18`: the programs of PostgreSQL that come first in the PATH have this major version.
///
/// All servers of the labs are then processes of this machine, also those that somebody else is said
/// to run. No lab looks for containers, so tests that start some are left out.
pub(crate) fn wanted() -> Option<i32> {
    let wanted = std::env::var("LAB_POSTGRES").ok()?;
    Some(wanted.parse().expect("LAB_POSTGRES is a number"))
}
