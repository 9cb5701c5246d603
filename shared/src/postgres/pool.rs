//! Databases that are kept ready. Each is a file. A test takes a database by renaming its file,
//! which is atomic across processes.
//!
//! `<run>/pg/<template>/` holds `ready/` (copies that nobody has had), `taken/`, `used/` (to be
//! dropped) and `kept/` (of failed tests). A file in `taken/` says which process has the database.
//! The reaper fills `ready/` and empties `used/`; see [`super::filler`]. A test that finds no ready
//! copy leaves a file with its process in `waiting/`. The reaper then creates a copy, or writes to a
//! file of the same name in `refused/` why it could not. The file `held` exists once the reaper holds
//! the template.
//!
//! Invariant: a waiting test is told a reason as soon as there is one, and never reads half of a
//! reason.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::wake::wake;
use crate::run::process::Process;
use crate::run::{Run, layout};
use crate::{Error, Heading, secret, wait};

pub(super) const READY: &str = "ready";
pub(super) const TAKEN: &str = "taken";
pub(super) const USED: &str = "used";
pub(super) const KEPT: &str = "kept";
const WAITING: &str = "waiting";
const REFUSED: &str = "refused";

/// The file that exists once the reaper holds the template.
const HELD: &str = "held";

/// The file that says why the reaper creates no copies of any template.
const FAILED: &str = "pg.failed";

/// The file that is locked by the reaper that creates the copies, as long as this reaper lives.
pub(super) const LOCK: &str = "pg.lock";

/// A copy takes 10 ms. If five hundred tests begin at once, the last one waits for all copies.
const TAKE_LIMIT: Duration = Duration::from_secs(60);

/// As in [`Run::once`]: many years of migrations take minutes.
const ONCE_LIMIT: Duration = Duration::from_secs(300);

/// The reaper creates a copy in 10 ms. With a longer pause, a test would wait for its next look.
const POLL: Duration = Duration::from_millis(1);

/// How often a waiting test looks whether the reaper is there.
const REAPER_POLL: Duration = Duration::from_millis(50);

/// A reaper that starts has its lock some milliseconds later; on a machine that swaps, some seconds
/// later.
const ALONE_LIMIT: Duration = Duration::from_secs(5);

/// The directory with the run's templates.
pub(super) fn dir(run: &Path) -> PathBuf {
    run.join("pg")
}

/// Tells the reaper of a template.
pub(super) fn announce(run: &Run, template: &str) -> Result<(), Error> {
    let dir = dir(run.dir()).join(template);
    for folder in [READY, TAKEN, USED, KEPT, WAITING, REFUSED] {
        std::fs::create_dir_all(dir.join(folder))
            .map_err(|cause| layout::unwritable(&dir, &cause))?;
    }
    wake(run.dir());
    Ok(())
}

/// Waits until the reaper holds a template.
pub(super) async fn until_held(run: &'static Run, template: &str) -> Result<(), Error> {
    let held = dir(run.dir()).join(template).join(HELD);
    let mut reaper = Reaper::of(run.dir());
    let mut look = || match (held.exists(), reaper.trouble()) {
        (true, _) => Ok(Ok(())),
        (false, Some(why)) => Ok(Err(no_copy(why))),
        (false, None) => Err("the reaper does not hold it"),
    };
    let what = "the reaper's lock on the template";
    wait::until_every(POLL, TAKE_LIMIT, what, || std::future::ready(look())).await?
}

/// Takes a ready database for this process. Returns its name and the file that represents it. If the
/// process ends without giving it back, the reaper drops it.
pub(super) async fn take(run: &'static Run, template: &str) -> Result<(String, PathBuf), Error> {
    let (name, taken) = take_for_the_run(run, template).await?;
    // Without the line, or with half of it, the database stays until the run ends.
    std::fs::write(&taken, line_of_this_process()).ok();
    Ok((name, taken))
}

/// Leaves to be dropped what test processes had that ended without a word: they were killed, or they
/// crashed. Those of them that waited are waited for no longer.
pub(super) fn abandon(template: &Path) {
    for taken in of_ended_processes(&template.join(TAKEN)) {
        to_be_dropped(&taken);
    }
    for waited in of_ended_processes(&template.join(WAITING)) {
        std::fs::remove_file(waited).ok(); // the next look tries again
    }
}

/// The files with the line of a process that has ended. Half of a line says nothing.
fn of_ended_processes(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files.map(|file| file.path()).filter(|file| {
        let line = std::fs::read_to_string(file).unwrap_or_default();
        line.ends_with('\n') && Process::parse(&line).is_some_and(|process| !process.is_alive())
    })
}

/// What a file of this process says. Empty where the system does not tell it.
fn line_of_this_process() -> String {
    Process::line(std::process::id().cast_signed())
        .map_or_else(String::new, |line| format!("{line}\n"))
}

async fn take_for_the_run(run: &'static Run, template: &str) -> Result<(String, PathBuf), Error> {
    let dir = dir(run.dir()).join(template);
    if let Some(taken) = try_take(&dir) {
        wake(run.dir());
        return Ok(taken);
    }
    // The reaper makes as many copies as there are files of those who wait.
    let waiting = Waiting::new(&dir)?;
    wake(run.dir());
    let mut reaper = Reaper::of(run.dir());
    let mut look = || {
        if let Some(taken) = try_take(&dir) {
            return Ok(Ok(taken));
        }
        match waiting.refusal().or_else(|| reaper.trouble()) {
            Some(why) => Ok(Err(no_copy(why))),
            None => Err("none is ready"),
        }
    };
    let what = "a copy of the template, which the reaper makes";
    wait::until_every(POLL, TAKE_LIMIT, what, || std::future::ready(look())).await?
}

/// The copy that all tests of the run share under a name. The first test that asks takes it.
pub(super) async fn take_shared(
    run: &'static Run,
    template: &str,
    name: &str,
) -> Result<String, Error> {
    let make = async || take_for_the_run(run, template).await.map(|(database, _)| Ok(database));
    once(run, name, make).await
}

/// Returns what `make` returned. `make` runs once a run, and the other callers wait. `Ok(Err(…))`
/// is a failure of the whole run: all others get it at once, as in [`Run::once`]. `Err(…)` is a
/// failure of the moment: the next caller tries again.
pub(super) async fn once(
    run: &Run,
    name: &str,
    make: impl AsyncFnOnce() -> Result<Result<String, Error>, Error>,
) -> Result<String, Error> {
    let dir = dir(run.dir()).with_file_name("pg.once");
    std::fs::create_dir_all(&dir).map_err(|cause| layout::unwritable(&dir, &cause))?;
    let file = |kind: &str| dir.join(format!("{name}.{kind}"));
    let (made, failed, lock_path) = (file("made"), file("failed"), file("lock"));
    let known = || match (std::fs::read_to_string(&made), std::fs::read_to_string(&failed)) {
        (Ok(text), _) => Some(Ok(text)),
        (_, Ok(why)) => Some(Err(Error::told(why))),
        _ => None,
    };
    if let Some(outcome) = known() {
        return outcome;
    }
    let lock = File::create(&lock_path).map_err(|cause| layout::unwritable(&lock_path, &cause))?;
    let what = format!("{name}, which another test is making");
    wait::until(ONCE_LIMIT, &what, async || lock.try_lock()).await?;
    if let Some(outcome) = known() {
        return outcome;
    }
    let outcome = make().await?;
    let (path, text) = match &outcome {
        Ok(text) => (&made, text.clone()),
        Err(error) => (&failed, error.to_string()),
    };
    publish(&dir, path, &text).map_err(|cause| layout::unwritable(path, &cause))?;
    outcome
}

fn no_copy(why: String) -> Error {
    let is_full = why.contains("No space left");
    let is_gone = why.contains("does not exist");
    let error =
        Error::under(Heading::Template, "the server makes no copy of the template").cause(why);
    if is_full {
        error
            .fix("make room on the disk of the server's data: 8 MB for each test that runs at once")
            .fix("run fewer at once: cargo test -- --test-threads=2")
    } else if is_gone {
        error.fix("run the tests again: the next run builds a template that somebody dropped")
    } else {
        error.fix(crate::cure::command("doctor"))
    }
}

fn try_take(dir: &Path) -> Option<(String, PathBuf)> {
    let mut ready: Vec<_> =
        std::fs::read_dir(dir.join(READY)).ok()?.flatten().map(|entry| entry.file_name()).collect();
    if ready.is_empty() {
        return None;
    }
    // Processes that begin at the same file would take it from each other one after the other.
    let first = secret::bits() as usize % ready.len();
    ready.rotate_left(first);
    ready.into_iter().find_map(|name| {
        let taken = dir.join(TAKEN).join(&name);
        std::fs::rename(dir.join(READY).join(&name), &taken).ok()?;
        Some((name.to_string_lossy().into_owned(), taken))
    })
}

/// Gives a used database back. Neither waits nor fails. A database that is lost here is removed
/// with the server.
pub(super) fn give_back(run: &Run, taken: &Path) {
    to_be_dropped(taken);
    wake(run.dir());
}

/// Leaves a database to the reaper.
pub(super) fn to_be_dropped(taken: &Path) {
    std::fs::rename(taken, moved(taken, USED)).ok(); // the run may be gone
}

/// How many databases of the same template tests hold.
pub(super) fn held(taken: &Path) -> usize {
    let dir = taken.parent().map(std::fs::read_dir);
    dir.into_iter().flatten().flatten().count()
}

/// Keeps the database of a failed test until the server ends. Returns the file that represents it
/// from now on.
pub(super) fn keep(taken: &Path) -> PathBuf {
    let kept = moved(taken, KEPT);
    std::fs::rename(taken, &kept).ok(); // the run may be gone
    kept
}

fn moved(taken: &Path, to: &str) -> PathBuf {
    let dir = taken.parent().and_then(Path::parent).expect("a database's file is two folders deep");
    dir.join(to).join(taken.file_name().unwrap_or_default())
}

/// How many tests wait for a copy of a template. A test that was killed while it waited does not
/// count after [`abandon`], or, if it left half of its line, after twice its limit.
pub(super) fn waiting(template: &Path) -> usize {
    let files = std::fs::read_dir(template.join(WAITING)).into_iter().flatten().flatten();
    let is_past = |file: &std::fs::DirEntry| {
        let since = file.metadata().and_then(|file| file.modified());
        since.is_ok_and(|since| since.elapsed().is_ok_and(|age| age > 2 * TAKE_LIMIT))
    };
    let (past, waiting): (Vec<_>, Vec<_>) = files.partition(is_past);
    for file in past {
        std::fs::remove_file(file.path()).ok(); // the next look tries again
    }
    waiting.len()
}

/// Records that the reaper holds a template.
pub(super) fn say_held(template: &Path) -> std::io::Result<()> {
    std::fs::write(template.join(HELD), "")
}

/// Tells the tests that wait for a copy of a template why they get none. A later test causes a new
/// try.
pub(super) fn refuse(template: &Path, why: &str) {
    let waiting = std::fs::read_dir(template.join(WAITING)).into_iter().flatten().flatten();
    for file in waiting {
        // A reason that cannot be written leaves its test waiting, which has a limit.
        publish(template, &template.join(REFUSED).join(file.file_name()), why).ok();
        std::fs::remove_file(file.path()).ok();
    }
}

/// Tells all tests that wait, now or later, why no copies are created.
pub(super) fn fail(run: &Path, why: &str) {
    publish(run, &run.join(FAILED), why).ok(); // the run may be gone
}

/// Removes what [`fail`] said, because another reaper continues.
pub(super) fn recover(run: &Path) {
    std::fs::remove_file(run.join(FAILED)).ok(); // it never failed
}

/// Writes a file that nobody sees half-written. `dir` must be on the same file system, and nobody
/// may take all files in it for their own.
pub(super) fn publish(dir: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let scratch = dir.join(format!("new-{}", secret::word()));
    std::fs::write(&scratch, text)?;
    std::fs::rename(scratch, path)
}

/// A test that waits for a copy, as the reaper sees it.
struct Waiting {
    file: PathBuf,
    refused: PathBuf,
}

impl Waiting {
    fn new(dir: &Path) -> Result<Waiting, Error> {
        let word = secret::word();
        let file = dir.join(WAITING).join(&word);
        // Without it, nobody would tell this test that a copy cannot be made.
        std::fs::write(&file, line_of_this_process())
            .map_err(|cause| layout::unwritable(&file, &cause))?;
        Ok(Waiting { file, refused: dir.join(REFUSED).join(word) })
    }

    fn refusal(&self) -> Option<String> {
        std::fs::read_to_string(&self.refused).ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        for file in [&self.file, &self.refused] {
            std::fs::remove_file(file).ok(); // the reaper may have been quicker
        }
    }
}

/// The reaper that creates the copies, as a waiting test sees it.
struct Reaper<'a> {
    run: &'a Path,
    looked: Option<Instant>,
    seen: Instant,
}

impl Reaper<'_> {
    fn of(run: &Path) -> Reaper<'_> {
        Reaper { run, looked: None, seen: Instant::now() }
    }

    /// Why nobody creates copies. `None` if there is no trouble.
    fn trouble(&mut self) -> Option<String> {
        if self.looked.is_some_and(|looked| looked.elapsed() < REAPER_POLL) {
            return None;
        }
        self.looked = Some(Instant::now());
        if let Ok(why) = std::fs::read_to_string(self.run.join(FAILED)) {
            return Some(why);
        }
        // The lock is given up at once: a reaper that waits for it gets it.
        if File::open(self.run.join(LOCK)).is_ok_and(|lock| lock.try_lock_shared().is_err()) {
            self.seen = Instant::now();
        }
        (self.seen.elapsed() >= ALONE_LIMIT).then(|| {
            format!(
                "the run's reaper, which makes the copies, is gone; its last words are in {}",
                self.run.join("reaper.log").display()
            )
        })
    }
}

#[cfg(test)]
mod tests;
