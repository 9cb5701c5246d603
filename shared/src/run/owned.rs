//! What a run made outside its processes, noted before it is made.
//!
//! Each thing is a file in `<run>/owned/`, named `<kind>.<name>`. The keeper removes the thing, then the file.
//!
//! Invariant: a thing exists only while its file does, so a crash at any moment leaves a note and not a leak.

use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "integration")]
use crate::Error;

/// Kinds that this binary can remove; another binary of the same run may have been built with other services.
pub(super) const KINDS: &[&str] = &[
    "native",
    "dir",
    #[cfg(feature = "integration")]
    "docker",
    #[cfg(all(feature = "integration", feature = "kafka"))]
    "kafka",
    #[cfg(all(feature = "integration", feature = "postgres"))]
    "postgres",
    #[cfg(all(feature = "integration", feature = "redis"))]
    "redis",
];

/// Kinds of things on servers that somebody else runs, and may have ended for good.
const ON_GIVEN_SERVERS: &[&str] = &["kafka", "postgres", "redis"];

/// A given server that was away for a day is not waited for any longer: each run's sweep would try it again.
const FORGOTTEN: Duration = Duration::from_hours(24);

pub(super) fn dir(run: &Path) -> PathBuf {
    run.join("owned")
}

/// The file that stands for a thing.
pub(crate) fn file(run: &Path, kind: &str, name: &str) -> PathBuf {
    dir(run).join(format!("{kind}.{name}"))
}

/// Notes a thing. Call it before the thing is made.
#[cfg(feature = "integration")]
pub(crate) fn note(run: &Path, kind: &str, name: &str, content: &str) -> Result<(), Error> {
    debug_assert!(KINDS.contains(&kind), "the keeper can remove a {kind}");
    let file = file(run, kind, name);
    std::fs::write(&file, content).map_err(|cause| super::unwritable(&file, &cause))
}

/// Removes whatever this binary can; what is left stays noted. The words of what refused are the keeper's log.
pub(super) fn remove_all(run: &Path) -> Result<(), String> {
    let mut refused = Vec::new();
    for file in files(run) {
        let label = label(&file);
        let Some((kind, name)) = label.split_once('.') else { continue };
        match remove(run, kind, name, &file) {
            Ok(()) => drop(std::fs::remove_file(&file)),
            Err(_) if ON_GIVEN_SERVERS.contains(&kind) && is_old(&file) => {
                drop(std::fs::remove_file(&file));
            }
            Err(why) => refused.push(format!("{kind} {name}: {why}")),
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(refused.join("\n")) }
}

/// Whether nothing is noted any more.
pub(super) fn is_empty(run: &Path) -> bool {
    files(run).is_empty()
}

/// The kinds of what is noted.
pub(super) fn kinds(run: &Path) -> Vec<String> {
    let kind = |file: &PathBuf| Some(label(file).split_once('.')?.0.to_owned());
    files(run).iter().filter_map(kind).collect()
}

/// `<kind>.<name>`
fn label(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_old(file: &Path) -> bool {
    let noted = file.metadata().and_then(|file| file.modified());
    noted.is_ok_and(|noted| noted.elapsed().is_ok_and(|age| age > FORGOTTEN))
}

fn files(run: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir(run)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    // Servers first: a directory in which one still writes cannot be removed.
    files.sort_by_key(|file| !label(file).starts_with("native."));
    files
}

fn remove(run: &Path, kind: &str, name: &str, file: &Path) -> Result<(), String> {
    match kind {
        "native" => super::native::stop(file),
        "dir" => remove_dir(file),
        #[cfg(feature = "integration")]
        "docker" => crate::docker::remove_of(&super::token(run)),
        #[cfg(all(feature = "integration", feature = "kafka"))]
        "kafka" => crate::kafka::remove(name, &text(file)?),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "postgres" => crate::postgres::remove(name, &text(file)?),
        #[cfg(all(feature = "integration", feature = "redis"))]
        "redis" => crate::redis::remove(&super::token(run), &text(file)?),
        _ => Err(format!(
            "this binary cannot remove a {kind}; {name} waits for one that can ({})",
            run.display()
        )),
    }
}

/// Removes the directory that is noted in `file`: a server's data that does not lie in the run's own.
fn remove_dir(file: &Path) -> Result<(), String> {
    let dir = PathBuf::from(text(file)?);
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn text(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}
