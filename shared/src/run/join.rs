//! How a process joins a run.

use std::fs::{File, OpenOptions};
use std::hash::Hasher;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::base::Base;
use super::layout::{
    ASKED, DIR_VAR, FAILED, GIVEN_UP, JOINS, MEMBERS, RUNNERS, TOKEN, token, unwritable,
};
use super::machine::Machine;
use super::member::Run;
use super::process::{self, Process};
use super::reaper::{self, GRACE_VAR, REAPER_VAR};
use super::{ledger, sweep};
use crate::cure::COMMAND_VAR;
use crate::secret::word;
use crate::temporary::TMPDIR_VAR;
use crate::{Error, project, wait};

/// The variable that names the run. All processes that see the same value share its servers,
/// whoever started them.
pub const ID_VAR: &str = "TESTENV_RUN_ID";

/// The variable with the names of services, separated by commas. A test program that has it and is asked
/// for its tests (`--list`) starts these servers for its run, and ends.
pub const START_VAR: &str = "TESTENV_START";

/// If a run of the same name ends, its reaper is at work: containers die within 10 s, processes
/// within 6.
const END_LIMIT: Duration = Duration::from_secs(30);

/// Holds a run open without taking part in it; see [`hold_open`].
#[must_use]
pub struct RunGuard {
    run: Run,
}

impl RunGuard {
    /// The file that a command creates when it is killed and its run was to be kept for the next
    /// command, by [`GRACE_VAR`]. The run then ends as soon as one that is not kept.
    pub fn given_up(&self) -> PathBuf {
        self.run.dir().join(GIVEN_UP)
    }

    /// Whether a test process has started something that stays until the run ends.
    pub fn has_servers(&self) -> bool {
        !ledger::is_empty(self.run.dir())
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        let dir = self.run.dir();
        let Some(Ok(Some(base))) = dir.parent().map(Base::lock_existing) else { return };
        // No test process ever came, so no reaper will remove the directory.
        if ledger::is_empty(dir) && !reaper::any_alive(dir) {
            base.remove_run(dir);
            base.remove_if_empty();
        }
    }
}

/// Keeps the run named `id` alive until the value is dropped. It is for a command that starts
/// several test commands with the same [`ID_VAR`].
///
/// It starts no reaper. The first test process starts one that knows how to remove what tests make.
///
/// # Errors
///
/// As [`Run::join`].
pub fn hold_open(id: &str) -> Result<RunGuard, Error> {
    let guard = RunGuard { run: join_as(&safe(id), false)? };
    std::fs::remove_file(guard.given_up()).ok(); // usually there is none
    Ok(guard)
}

pub(super) fn join() -> Result<Run, Error> {
    join_as(&identity(), true)
}

/// Decides which run this process belongs to. No other place knows which runner started us.
fn identity() -> String {
    let named = |var| std::env::var(var).ok().filter(|id| !id.is_empty());
    if let Some(id) = named(ID_VAR).or_else(|| named("NEXTEST_RUN_ID")) {
        return safe(&id);
    }
    let parent = process::runner().unwrap_or_else(|| nix::unistd::getppid().as_raw());
    Process::of(parent)
        .map_or_else(|| format!("parent-{parent}"), |parent| format!("parent-{parent}"))
}

/// Everything that decides which servers are used, one line for each variable that is set. Runs
/// with different values share nothing. The place where this process lives also decides: containers
/// that share a directory share neither processes nor loopback.
///
/// It is read once, before `main`, because the harness itself may set `DOCKER_HOST` for
/// testcontainers in programs that have this feature, and not in other programs.
pub(crate) fn asked() -> &'static str {
    static ASKED: OnceLock<String> = OnceLock::new();
    ASKED.get_or_init(read_asked)
}

fn read_asked() -> String {
    // Where and how long a run lives, and what its errors name as a cure, says nothing about its servers.
    const OF_THE_RUN: [&str; 7] =
        [ID_VAR, DIR_VAR, TMPDIR_VAR, GRACE_VAR, REAPER_VAR, COMMAND_VAR, START_VAR];
    let decides = |name: &str| {
        let ours = name.starts_with("TESTENV_") && !OF_THE_RUN.contains(&name);
        // A server is kept between runs except where `CI` is set.
        ours || name.starts_with("DOCKER_") || name.starts_with("TESTCONTAINERS_") || name == "CI"
    };
    let vars = std::env::vars_os().map(|(name, value)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    });
    let mut lines: Vec<String> = vars
        .filter(|(name, value)| decides(name) && !value.is_empty())
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    lines.sort();
    let network = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
    let here = Machine::here();
    format!("{}{}here={here} {}\n", lines.concat(), project::asked(), network.display())
}

impl Run {
    /// Joins the run of this process. The first process creates the run, with a reaper that ends it
    /// after the last process.
    ///
    /// # Errors
    ///
    /// When the run's directory cannot be made or written (see [`DIR_VAR`]), or no process can be started.
    pub fn join() -> Result<&'static Run, Error> {
        static RUN: OnceLock<Result<Run, Error>> = OnceLock::new();
        RUN.get_or_init(join).as_ref().map_err(Clone::clone)
    }
}

/// A file name that no other id has. Special characters are replaced, and a hash tells such names
/// apart.
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

fn join_as(id: &str, with_reaper: bool) -> Result<Run, Error> {
    let asked = asked();
    wait::until_blocking(END_LIMIT, "the end of an earlier run of the same name", || {
        match Base::lock() {
            Ok(base) => enter(&base, &dir_of(&base, id, asked), asked, with_reaper),
            Err(error) => Ok(Err(error)),
        }
    })
    .and_then(|entered| entered)
}

/// The directory of the run with this name and the same values of [`asked`], whether it exists or
/// not. The second run with the name is `<id>.2`. No name is made from the values, because they may
/// contain a password.
fn dir_of(base: &Base, id: &str, asked: &str) -> PathBuf {
    let numbered = |number: usize| match number {
        1 => base.run_dir(id),
        _ => base.run_dir(&format!("{id}.{number}")),
    };
    let is_same =
        |dir: &PathBuf| std::fs::read_to_string(dir.join(ASKED)).is_ok_and(|of| of == asked);
    let prefix = format!("{id}.");
    let of_this_name = |dir: &PathBuf| {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name == id
            || name.strip_prefix(&prefix).is_some_and(|number| number.parse::<usize>().is_ok())
    };
    let same = base.run_dirs().into_iter().filter(of_this_name).find(is_same);
    same.unwrap_or_else(|| {
        (1..)
            .map(numbered)
            .find(|dir| dir.symlink_metadata().is_err())
            .expect("some number is free")
    })
}

/// Lets this process in. Otherwise says why it should try again a moment later.
fn enter(
    base: &Base,
    dir: &Path,
    asked: &str,
    with_reaper: bool,
) -> Result<Result<Run, Error>, &'static str> {
    let is_new = !dir.exists();
    if is_new {
        let files = [(TOKEN, &*word()), (MEMBERS, ""), (ASKED, asked)];
        if let Err(cause) = base.make_run(dir, &files) {
            return Ok(Err(unwritable(dir, &cause)));
        }
    }
    let path = dir.join(MEMBERS);
    let member = match OpenOptions::new().read(true).append(true).open(&path) {
        Ok(file) => file,
        Err(cause) => return Ok(Err(unwritable(&path, &cause))),
    };
    if !is_new && member.try_lock().is_ok() {
        if !reaper::any_alive(dir) {
            // Nobody is left of the run that had this name, not even its reaper: its servers are not ours to
            // trust. It gets another
            // name and, in the sweep, a reaper.
            let stale = dir.with_file_name(format!("stale-{}", word()));
            return match std::fs::rename(dir, &stale) {
                Ok(()) => Err("it is being swept"),
                Err(cause) => Ok(Err(unwritable(&stale, &cause))),
            };
        }
        if !reaper::runner_is_alive(dir) {
            // Another command, within the grace: what failed for the last one may have been cured since.
            forget_failures(dir);
        }
        let _held_until_now = member.unlock();
    }
    if member.try_lock_shared().is_err() {
        return Err("its reaper is removing what it made");
    }
    Ok(register(base, dir, member, with_reaper, is_new))
}

fn forget_failures(dir: &Path) {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    for file in entries.filter(|path| path.extension().is_some_and(|name| name == FAILED)) {
        std::fs::remove_file(file).ok(); // then the failure is told once more
    }
}

fn register(
    base: &Base,
    dir: &Path,
    member: File,
    with_reaper: bool,
    is_new: bool,
) -> Result<Run, Error> {
    append(&dir.join(JOINS), ".")?;
    if let Some(runner) = process::runner().and_then(Process::line) {
        append(&dir.join(RUNNERS), &format!("{runner}\n"))?;
    }
    // Once for a run, and once more for each kind of binary in it, as that one may be able to remove what the others could not.
    if (with_reaper && reaper::ensure(dir)?) || is_new {
        sweep::sweep(base, Some(dir));
    }
    Ok(Run { dir: dir.to_owned(), token: token(dir), _member: member })
}

fn append(path: &Path, text: &str) -> Result<(), Error> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|cause| unwritable(path, &cause))
}
