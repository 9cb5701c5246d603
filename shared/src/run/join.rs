//! How a process comes to belong to a run.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::Hasher;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use super::base::Base;
use super::process::{self, Process};
use super::{JOINS, MEMBERS, RUNNERS, Run, TOKEN, keeper, owned, token, unwritable};
use crate::secret::word;
use crate::{Error, wait};

/// Names the run: all processes that see the same value share its servers, whoever started them.
pub const ID_VAR: &str = "TESTENV_RUN_ID";

/// A run of the same name that ends has its keeper at work: containers die within 10 s, processes within 6.
const END_LIMIT: Duration = Duration::from_secs(30);

/// Holds a run open without taking part in it; see [`attend`].
#[must_use]
pub struct Attendance {
    run: Run,
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let Ok(base) = Base::lock() else { return };
        let dir = self.run.dir();
        // No test process ever came, so no keeper will remove the directory.
        if owned::is_empty(dir) && !keeper::any_alive(dir) {
            let _left = std::fs::remove_dir_all(dir);
            base.remove_if_empty();
        }
    }
}

/// Keeps the run named `id` alive until the value is dropped, for a command that starts several test commands with the same [`ID_VAR`].
///
/// It starts no keeper: the first test process does, which knows how to remove what tests make.
///
/// # Errors
///
/// As [`Run::join`].
pub fn attend(id: &str) -> Result<Attendance, Error> {
    let run = join_as(&safe(id), false)?;
    Ok(Attendance { run })
}

pub(super) fn join() -> Result<Run, Error> {
    join_as(&identity(), true)
}

/// The one place that knows which runner runs us.
fn identity() -> String {
    let named = |var| std::env::var(var).ok().filter(|id| !id.is_empty());
    if let Some(id) = named(ID_VAR).or_else(|| named("NEXTEST_RUN_ID")) {
        return safe(&id);
    }
    let parent = nix::unistd::getppid().as_raw();
    Process::of(parent)
        .map_or_else(|| format!("parent-{parent}"), |parent| format!("parent-{parent}"))
}

/// A file name that no other id has: what is not plain is replaced, and told apart by a hash.
fn safe(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !id.is_empty() && id.len() <= 64 && id.chars().all(plain) {
        return id.to_owned();
    }
    // The default hasher's keys are fixed: the same id gives the same name in every process.
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(id.as_bytes());
    let kept: String = id.chars().map(|c| if plain(c) { c } else { '-' }).take(40).collect();
    format!("{kept}-{:016x}", hasher.finish())
}

fn join_as(id: &str, with_keeper: bool) -> Result<Run, Error> {
    wait::until_blocking(END_LIMIT, "the end of an earlier run of the same name", || {
        match Base::lock() {
            Ok(base) => enter(&base, &base.run_dir(id), with_keeper),
            Err(error) => Ok(Err(error)),
        }
    })
    .and_then(|entered| entered)
}

/// Lets this process in, or says why a moment later may be better.
fn enter(base: &Base, dir: &Path, with_keeper: bool) -> Result<Result<Run, Error>, &'static str> {
    let is_new = !dir.exists();
    if is_new && let Err(error) = make(dir) {
        return Ok(Err(error));
    }
    let path = dir.join(MEMBERS);
    let member = match OpenOptions::new().read(true).append(true).create(true).open(&path) {
        Ok(file) => file,
        Err(cause) => return Ok(Err(unwritable(&path, &cause))),
    };
    if !is_new && member.try_lock().is_ok() {
        if !keeper::any_alive(dir) {
            // Nobody is left of the run that had this name, not even its keeper: its servers are not ours to trust. It gets another
            // name and, in the sweep, a keeper.
            let stale = dir.with_file_name(format!("stale-{}", word()));
            return match std::fs::rename(dir, &stale) {
                Ok(()) => Err("it is being swept"),
                Err(cause) => Ok(Err(unwritable(&stale, &cause))),
            };
        }
        let _held_until_now = member.unlock();
    }
    if member.try_lock_shared().is_err() {
        return Err("its keeper is removing what it made");
    }
    Ok(settle(base, dir, member, with_keeper, is_new))
}

fn settle(
    base: &Base,
    dir: &Path,
    member: File,
    with_keeper: bool,
    is_new: bool,
) -> Result<Run, Error> {
    append(&dir.join(JOINS), ".")?;
    if let Some(runner) = process::runner().and_then(Process::line) {
        append(&dir.join(RUNNERS), &format!("{runner}\n"))?;
    }
    // Once for a run, and once more for each kind of binary in it, as that one may be able to remove what the others could not.
    if (with_keeper && keeper::ensure(dir)?) || is_new {
        keeper::sweep(base, dir);
    }
    Ok(Run { dir: dir.to_owned(), token: token(dir), _member: member })
}

fn make(dir: &Path) -> Result<(), Error> {
    let made = DirBuilder::new()
        .mode(0o700)
        .create(dir)
        .and_then(|()| std::fs::create_dir(owned::dir(dir)));
    made.and_then(|()| std::fs::write(dir.join(TOKEN), word()))
        .and_then(|()| std::fs::write(dir.join(MEMBERS), ""))
        .map_err(|cause| unwritable(dir, &cause))
}

fn append(path: &Path, text: &str) -> Result<(), Error> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|cause| unwritable(path, &cause))
}
