//! The reaper: a small process that outlives the run's tests and removes what they made.
//!
//! It is the test binary, started again in a session of its own, so a signal to the run's group
//! does not reach it. It has none of its starter's standard streams, so a runner that waits for
//! open pipes does not wait for it.
//!
//! Invariant: it removes nothing while a process of the run, or the run's runner, is alive. Only
//! the kernel's lock decides that, not a count: the kernel drops a lock when its process dies in
//! any way.

mod launch;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

use super::base::{self, Base};
use super::held::Held;
use super::layout::{self, GIVEN_UP, JOINS, MEMBERS, RUNNERS, unwritable};
use super::process::Process;
use super::{cleaner, ledger, sweep};
use crate::{Error, wait};

pub(super) use launch::start;

/// Set for the reaper only: the directory of its run.
pub(super) const REAPER_VAR: &str = "TESTENV_REAPER";

/// The file in the run's directory that lists what the reaper could not remove.
pub(super) const LOG: &str = "reaper.log";

/// The variable that says how long a run without any process is kept, in milliseconds. The default
/// is 2000.
pub const GRACE_VAR: &str = "TESTENV_GRACE_MS";

/// nextest starts a process per test. A debugger or a slow machine may leave a gap between two
/// processes. These 2 s are part of the promised 15.
const GRACE: Duration = Duration::from_secs(2);

/// A process that starts takes milliseconds; a machine that swaps takes seconds.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How often the reaper looks whether the run goes on. The grace begins after the look, so this
/// only adds to it.
const POLL: Duration = Duration::from_millis(100);

/// A reaper starts in ten milliseconds, and a test waits for that.
const START_POLL: Duration = Duration::from_millis(2);

/// The limit for a sweep that has found something to remove. A container takes seconds.
const SWEEP_LIMIT: Duration = Duration::from_secs(9);

/// Starts a reaper unless an equivalent one is running. Blocks until it holds its lock. Returns `true` if it
/// was started now. The caller holds the base's lock.
pub(super) fn ensure(dir: &Path) -> Result<bool, Error> {
    if is_alive(&file_of(dir)) {
        return Ok(false);
    }
    let file = file_of(dir);
    std::fs::write(&file, "").map_err(|cause| unwritable(&file, &cause))?;
    start(dir, &[])?;
    wait::until_blocking_every(START_POLL, START_LIMIT, "the reaper's first sign", || {
        match std::fs::read(&file) {
            Ok(pid) if !pid.is_empty() => Ok(()),
            _ => Err(std::fs::read_to_string(dir.join(LOG)).unwrap_or_default()),
        }
    })?;
    Ok(true)
}

/// Whether any reaper keeps the run in `dir`, whatever services that reaper was built with.
pub(super) fn any_alive(dir: &Path) -> bool {
    alive(dir).next().is_some()
}

/// The names of the files of all living reapers: `reaper+<kind>+…`.
pub(super) fn alive(dir: &Path) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter_map(|path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        (name.starts_with("reaper+") && is_alive(&path)).then_some(name)
    })
}

/// Leaves what this process has from its starter, if it was started as a reaper. Call it before anything
/// is opened.
pub(crate) fn detach_if_asked() {
    if std::env::var_os(REAPER_VAR).is_some() {
        nix::unistd::setsid().ok(); // it may lead a session already
        close_inherited();
    }
}

/// Becomes the reaper if this process was started as one. Otherwise returns at once.
pub(super) fn reap_if_asked() {
    let Some(dir) = std::env::var_os(REAPER_VAR) else { return };
    let told_to_end = hear_signals();
    let reaped = std::panic::catch_unwind(|| reap(Path::new(&dir), &told_to_end));
    #[expect(clippy::exit, reason = "the reaper never reaches the tests' main")]
    std::process::exit(i32::from(!matches!(reaped, Ok(Ok(())))));
}

/// Blocks the signals that would end the reaper, in this thread and all threads that it starts.
/// Returns a channel that reports SIGTERM, which means "clean up now".
///
/// The other signals are about a terminal or a pipe that does not belong to the reaper. Rust's
/// runtime, which ignores SIGPIPE, has not begun yet.
fn hear_signals() -> Receiver<()> {
    use Signal::{SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    let blocked = [SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
    let blocked: SigSet = blocked.into_iter().collect();
    blocked.thread_block().expect("the set is one of signals that can be blocked");
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(signal) = blocked.wait() {
            if signal == SIGTERM && tell.send(()).is_err() {
                return;
            }
        }
    });
    told
}

/// Closes the descriptors that this process inherited without knowing (a lock of `flock(1)`, a pipe
/// of the runner). Otherwise it would hold them open.
fn close_inherited() {
    let open: Vec<i32> = std::fs::read_dir("/dev/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        nix::unistd::close(fd).ok(); // that of the listing is closed already
    }
}

fn reap(dir: &Path, told_to_end: &Receiver<()>) -> Result<(), Error> {
    // Only one reaper of each kind runs: the one that gets this lock.
    let file = file_of(dir);
    let mut lock_file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .map_err(|cause| unwritable(&file, &cause))?;
    if wait::until_blocking(Duration::from_secs(1), "the reaper's lock", || lock_file.try_lock())
        .is_err()
    {
        return Ok(());
    }
    let path = dir.join(MEMBERS);
    let members = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|cause| unwritable(&path, &cause))?;
    let token = layout::token(dir);
    let mut run =
        WatchedRun { dir, token, members, notes: ledger::Copy::default(), held: Held::default() };
    // A reaper that was itself started by a sweep leaves the rest to the run that sweeps. To be asked before the
    // starter is told: a short run may be over a moment later.
    let is_of_a_live_run = !run.is_left();
    writeln!(lock_file, "{}", std::process::id()).map_err(|cause| unwritable(&file, &cause))?;

    for serve in cleaner::all().iter().filter_map(|cleaner| cleaner.serve) {
        let dir = dir.to_owned();
        std::thread::spawn(move || serve(&dir));
    }
    let swept = is_of_a_live_run.then(|| {
        let (own, (tell, swept)) = (dir.to_owned(), mpsc::channel());
        std::thread::spawn(move || {
            sweep::sweep_elsewhere(&own);
            tell.send(()).ok(); // the reaper may have waited long enough
        });
        swept
    });
    run.wait_for_its_end(told_to_end);
    run.end();
    if let Some(swept) = swept {
        swept.recv_timeout(SWEEP_LIMIT).ok(); // what is left waits for the next run
    }
    Ok(())
}

/// A run as its reaper sees it. The reaper reads everything from the run's directory while the
/// directory exists: whoever cleans a temporary directory by force may delete it while the run is
/// alive.
struct WatchedRun<'a> {
    dir: &'a Path,
    token: String,
    members: File,
    notes: ledger::Copy,
    held: Held,
}

impl WatchedRun<'_> {
    /// Returns after the grace when no process takes part any more, or when told to end.
    fn wait_for_its_end(&mut self, told_to_end: &Receiver<()>) {
        let grace = grace();
        // Whoever joined and left meanwhile starts the grace anew: it counts from the last process, not from the first gap.
        let mut over: Option<(Instant, u64)> = None;
        while told_to_end.recv_timeout(POLL).is_err() {
            let joins = joins(self.dir);
            let is_over =
                self.is_left() && !(self.has_its_directory() && runner_is_alive(self.dir));
            over = over.filter(|(_, then)| is_over && *then == joins);
            let (since, _) = *over.get_or_insert((Instant::now(), joins));
            let grace = if self.is_given_up() { grace.min(GRACE) } else { grace };
            if self.has_its_directory() {
                self.notes.refresh(self.dir, Instant::now());
                self.held.refresh(self.dir);
            }
            if is_over
                && since.elapsed() >= grace
                && self.members.try_lock().is_ok()
                && self::joins(self.dir) == joins
                && !(self.has_its_directory() && runner_is_alive(self.dir))
            {
                return;
            }
            self.members.unlock().ok(); // it was not locked
        }
    }

    /// Whether the command that keeps the run for the next one was killed.
    fn is_given_up(&self) -> bool {
        self.dir.join(GIVEN_UP).exists()
    }

    /// Whether no process holds the run at this moment.
    fn is_left(&self) -> bool {
        let is_left = self.members.try_lock().is_ok();
        self.members.unlock().ok(); // it was not locked
        is_left
    }

    /// False once the directory was deleted. A newer directory of the same name belongs to another
    /// reaper.
    fn has_its_directory(&self) -> bool {
        base::is_still_at(&self.members, &self.dir.join(MEMBERS))
    }

    /// Removes everything while it holds the members' lock. A process that joins under this name
    /// waits meanwhile.
    fn end(&self) {
        for stop in cleaner::all().iter().filter_map(|cleaner| cleaner.stop) {
            stop();
        }
        let has_notes = || self.has_its_directory() && layout::notes(self.dir).is_dir();
        if has_notes()
            && let Err(refused) = ledger::remove_all(self.dir)
        {
            // The log is the last place to say it.
            writeln!(std::io::stderr(), "not removed, left to the next run's sweep:\n{refused}")
                .ok();
        }
        // Somebody deleted them, before or meanwhile.
        if !has_notes() {
            self.notes.remove_all(&self.token);
            // What was noted and deleted between two looks.
            sweep::sweep_unnoted();
        }
        let Some(parent) = self.dir.parent() else { return };
        let Ok(Some(base)) = Base::lock_existing(parent) else { return };
        if ledger::is_empty(self.dir) && self.has_its_directory() {
            base.remove_run(self.dir);
            base.remove_if_empty();
        }
    }
}

pub(super) fn file_of(dir: &Path) -> PathBuf {
    dir.join(format!("reaper+{}", ledger::kinds().join("+")))
}

fn is_alive(file: &Path) -> bool {
    File::open(file).is_ok_and(|file| file.try_lock_shared().is_err())
}

fn joins(dir: &Path) -> u64 {
    std::fs::metadata(dir.join(JOINS)).map_or(0, |file| file.len())
}

pub(super) fn runner_is_alive(dir: &Path) -> bool {
    let runners = std::fs::read_to_string(dir.join(RUNNERS)).unwrap_or_default();
    runners.lines().filter_map(Process::parse).any(|runner| runner.is_alive())
}

pub(crate) fn grace() -> Duration {
    let asked = std::env::var(GRACE_VAR).ok().and_then(|text| text.parse().ok());
    asked.map_or(GRACE, Duration::from_millis)
}
