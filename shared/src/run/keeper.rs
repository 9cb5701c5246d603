//! The keeper: a small process that outlives the run's tests and removes what they made.
//!
//! It is the test binary started again, in a session of its own, with its standard streams closed, so that neither a signal to the run's group nor a runner
//! that waits for open pipes meets it.
//!
//! Invariant: it removes nothing while a process of the run, or the run's runner, is alive. The truth is the kernel's lock, not a count:
//! the kernel drops a lock on any death.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::base::Base;
use super::process::Process;
use super::{JOINS, MEMBERS, RUNNERS, owned, unwritable};
use crate::{Error, wait};

/// Set for the keeper only: the directory of its run.
const KEEPER_VAR: &str = "TESTENV_KEEPER";

/// How long a run without any process is kept, in milliseconds, in the place of 2000.
pub const GRACE_VAR: &str = "TESTENV_GRACE_MS";

/// nextest starts a process per test, and a debugger or a slow machine may leave a gap between two; 2 s of the promised 15.
const GRACE: Duration = Duration::from_secs(2);

/// A process that starts takes milliseconds; a machine that swaps takes seconds.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How often a runner is looked for: its end starts the grace, so this only adds to it.
const RUNNER_POLL: Duration = Duration::from_millis(100);

/// Starts a keeper for the run in `dir` unless one like it is there; returns when it keeps, and whether it is new. The caller holds the base's lock.
pub(super) fn ensure(dir: &Path) -> Result<bool, Error> {
    if is_alive(&file_of(dir)) {
        return Ok(false);
    }
    let file = file_of(dir);
    std::fs::write(&file, "").map_err(|cause| unwritable(&file, &cause))?;
    let mut child = start(dir, &[])?;
    wait::until_blocking(START_LIMIT, "the keeper's first sign", || {
        match (std::fs::read(&file), child.try_wait()) {
            (Ok(pid), _) if !pid.is_empty() => Ok(()),
            (_, Ok(Some(status))) => Err(format!("it ended: {status}")),
            _ => Err("it runs".into()),
        }
    })
    .map_err(|error| error.fix(format!("read {}", dir.join("keeper.log").display())))?;
    Ok(true)
}

/// Whether any keeper keeps the run in `dir`, whatever services it was built with.
pub(super) fn any_alive(dir: &Path) -> bool {
    alive(dir).next().is_some()
}

/// Starts keepers for the runs that provably have no owner: no process holds them, and no keeper that can remove all that they made. The caller holds `base`.
///
/// A program that was built without a service cannot remove what belongs to it, and leaves such a run to one that can.
pub(super) fn sweep(base: &Base, own: &Path) {
    for dir in base.run_dirs().into_iter().filter(|dir| dir != own) {
        let Ok(members) = File::open(dir.join(MEMBERS)) else {
            // A process killed between `mkdir` and the first file; nothing is made before both.
            let _left = std::fs::remove_dir_all(&dir);
            continue;
        };
        if members.try_lock().is_ok() && can_help(&dir) {
            // The engine it used, not the one of this run.
            let engine =
                std::fs::read_to_string(owned::dir(&dir).join("docker.engine")).unwrap_or_default();
            let vars: Vec<(&str, &str)> =
                engine.lines().filter_map(|line| line.split_once('=')).collect();
            // Refused only where no process can be started at all: the next run tries again.
            drop(start(&dir, &vars));
        }
    }
}

/// Whether a keeper of this binary's would remove something from a run that no living keeper can.
fn can_help(dir: &Path) -> bool {
    let left = owned::kinds(dir);
    let is_kept = alive(dir)
        .any(|keeper| left.iter().all(|kind| keeper.split('+').any(|removes| removes == kind)));
    let is_ours = |kind: &String| owned::KINDS.contains(&kind.as_str());
    !is_kept && (left.is_empty() || left.iter().any(is_ours))
}

/// The names of the files of the keepers that are alive: `keeper+<kind>+…`.
fn alive(dir: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter_map(|path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        (name.starts_with("keeper+") && is_alive(&path)).then_some(name)
    })
}

/// Becomes the keeper if this process was started as one; else returns at once.
pub(super) fn keep_if_asked() {
    let Some(dir) = std::env::var_os(KEEPER_VAR) else { return };
    let _own_already = nix::unistd::setsid();
    close_inherited();
    let kept = std::panic::catch_unwind(|| keep(Path::new(&dir)));
    #[expect(clippy::exit, reason = "the keeper never reaches the tests' main")]
    std::process::exit(i32::from(!matches!(kept, Ok(Ok(())))));
}

fn start(dir: &Path, vars: &[(&str, &str)]) -> Result<std::process::Child, Error> {
    let log_path = dir.join("keeper.log");
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(|cause| unwritable(&log_path, &cause))?;
    // On Linux the link still leads to the binary after a build has replaced its file.
    let program = if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe().unwrap_or_default()
    };
    let mut title = OsString::from("testenv-keeper ");
    title.push(dir.file_name().unwrap_or_default());
    Command::new(&program)
        .arg0(title)
        .env(KEEPER_VAR, dir)
        .env_remove(crate::fault::FAULT_VAR)
        .envs(vars.iter().copied())
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|cause| Error::new("cannot start the keeper").cause(cause))
}

/// Descriptors that this process inherited without knowing (a lock of `flock(1)`, a pipe of the runner's) would be held open by it.
fn close_inherited() {
    let open: Vec<i32> = std::fs::read_dir("/dev/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        let _closed_with_the_listing = nix::unistd::close(fd);
    }
}

fn keep(dir: &Path) -> Result<(), Error> {
    // Twins of this keeper: one keeps, the others go.
    let file = file_of(dir);
    let mut keeping = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .map_err(|cause| unwritable(&file, &cause))?;
    if wait::until_blocking(Duration::from_secs(1), "the keeper's lock", || keeping.try_lock())
        .is_err()
    {
        return Ok(());
    }
    writeln!(keeping, "{}", std::process::id()).map_err(|cause| unwritable(&file, &cause))?;

    let path = dir.join(MEMBERS);
    let members = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|cause| unwritable(&path, &cause))?;
    #[cfg(all(feature = "integration", feature = "postgres"))]
    {
        let dir = dir.to_owned();
        std::thread::spawn(move || crate::postgres::maintain(&dir));
    }
    // Read now: whoever cleans a temporary directory by force may take it from under a live run.
    let token = super::token(dir);
    let grace = grace();
    loop {
        members
            .lock()
            .and_then(|()| members.unlock())
            .map_err(|cause| unwritable(&path, &cause))?;
        while runner_is_alive(dir) {
            wait::nap_blocking(RUNNER_POLL);
        }
        let joins = joins(dir);
        wait::nap_blocking(grace);
        // Whoever joined and left meanwhile starts the grace anew: it counts from the last process, not from the first gap.
        if members.try_lock().is_ok() {
            if self::joins(dir) == joins && !runner_is_alive(dir) {
                break;
            }
            members.unlock().map_err(|cause| unwritable(&path, &cause))?;
        }
    }
    end(dir, &token);
    Ok(())
}

/// Removes everything, holding the members' lock, so that whoever joins under this name meanwhile waits.
fn end(dir: &Path, token: &str) {
    #[cfg(all(feature = "integration", feature = "postgres"))]
    crate::postgres::settle();
    if !dir.exists() {
        // The notes are gone, but containers carry the token themselves.
        #[cfg(feature = "integration")]
        drop(crate::docker::remove_of(token));
        #[cfg(not(feature = "integration"))]
        let _nothing_carries_it = token;
        return;
    }
    if let Err(refused) = owned::remove_all(dir) {
        let _nowhere_else_to_say_it =
            writeln!(std::io::stderr(), "not removed, left to the next run's sweep:\n{refused}");
    }
    let Ok(base) = Base::lock() else { return };
    if owned::is_empty(dir) {
        let _left = std::fs::remove_dir_all(dir);
        base.remove_if_empty();
    }
}

fn file_of(dir: &Path) -> PathBuf {
    dir.join(format!("keeper+{}", owned::KINDS.join("+")))
}

fn is_alive(file: &Path) -> bool {
    File::open(file).is_ok_and(|file| file.try_lock_shared().is_err())
}

fn joins(dir: &Path) -> u64 {
    std::fs::metadata(dir.join(JOINS)).map_or(0, |file| file.len())
}

fn runner_is_alive(dir: &Path) -> bool {
    let runners = std::fs::read_to_string(dir.join(RUNNERS)).unwrap_or_default();
    runners.lines().filter_map(Process::parse).any(|runner| runner.is_alive())
}

pub(crate) fn grace() -> Duration {
    let asked = std::env::var(GRACE_VAR).ok().and_then(|text| text.parse().ok());
    asked.map_or(GRACE, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use super::{can_help, file_of, owned};

    fn run_that_left(kinds: &[&str]) -> tempfile::TempDir {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(owned::dir(run.path())).unwrap();
        for kind in kinds {
            std::fs::write(owned::file(run.path(), kind, "a"), "").unwrap();
        }
        run
    }

    fn keeper(file: &Path) -> File {
        let keeper = File::create(file).unwrap();
        keeper.lock().unwrap();
        keeper
    }

    #[test]
    fn a_run_is_swept_unless_a_keeper_that_can_remove_all_of_it_lives() {
        let run = run_that_left(owned::KINDS);
        let _of_a_smaller_binary = keeper(&run.path().join("keeper+native"));
        assert!(can_help(run.path()));

        let _twin = keeper(&file_of(run.path()));
        assert!(!can_help(run.path()));
    }

    #[test]
    fn a_run_that_left_nothing_we_can_remove_is_left_to_others() {
        assert!(!can_help(run_that_left(&["a service of tomorrow"]).path()));
        assert!(can_help(run_that_left(&["a service of tomorrow", "dir"]).path()));
        assert!(can_help(run_that_left(&[]).path()));
    }
}
