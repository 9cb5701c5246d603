//! Databases kept ready: a file for each, taken by renaming it, which is atomic across processes.
//!
//! `<run>/pg/<template>/` holds `ready/` (copies that nobody has had), `taken/`, `used/` (to be dropped) and
//! `kept/` (of failed tests). The reaper
//! moves the first and the third along; see [`super::filler`]. A test that finds none ready leaves a file in
//! `waiting/`; the reaper makes a copy for
//! it, or says in a file of the same name in `refused/` why it could not. The file `held` is there once the
//! reaper holds the template.
//!
//! Invariant: a test that waits is told a reason as soon as there is one, and a reason is whole.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::wake::wake;
use crate::run::{Run, layout};
use crate::{Error, secret, wait};

pub(super) const READY: &str = "ready";
pub(super) const TAKEN: &str = "taken";
pub(super) const USED: &str = "used";
pub(super) const KEPT: &str = "kept";
const WAITING: &str = "waiting";
const REFUSED: &str = "refused";

/// There once the reaper holds the template.
const HELD: &str = "held";

/// Why the reaper makes no copies of any template.
const FAILED: &str = "pg.failed";

/// Locked by the reaper that makes the copies, as long as it lives.
pub(super) const LOCK: &str = "pg.lock";

/// A copy takes 10 ms; five hundred tests that begin at once wait for the last of theirs.
const TAKE_LIMIT: Duration = Duration::from_secs(60);

/// As [`Run::once`]: migrations of years take minutes.
const ONCE_LIMIT: Duration = Duration::from_secs(300);

/// The reaper makes one in 10 ms: asked any less often, a test would wait for its turn to look.
const POLL: Duration = Duration::from_millis(1);

/// How often a test that waits looks whether there is somebody to wait for.
const REAPER_POLL: Duration = Duration::from_millis(50);

/// A reaper that starts has its lock some milliseconds later, on a machine that swaps some seconds.
const ALONE_LIMIT: Duration = Duration::from_secs(5);

/// Where the runs' templates are.
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

/// Takes a ready database: its name, and the file that stands for it.
pub(super) async fn take(run: &'static Run, template: &str) -> Result<(String, PathBuf), Error> {
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

/// The copy that all tests of the run share under a name; the first that asks takes it.
pub(super) async fn take_shared(
    run: &'static Run,
    template: &str,
    name: &str,
) -> Result<String, Error> {
    once(run, name, async || take(run, template).await.map(|(database, _)| Ok(database))).await
}

/// What `make` made, once a run; the others wait for it. It says whether its own failure is that of the whole run, which others are told at once
/// (`Ok(Err(…))`, as [`Run::once`] has it), or of a moment, which the next may not meet (`Err(…)`).
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
        (_, Ok(why)) => Some(Err(Error::new(why))),
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
    let error = Error::new("the server makes no copy of the template").cause(why);
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

/// Says that a database is used up. Neither waits nor fails: what is lost here is removed with the server.
pub(super) fn give_back(run: &Run, taken: &Path) {
    std::fs::rename(taken, moved(taken, USED)).ok(); // the run may be gone
    wake(run.dir());
}

/// How many databases of the same template are in tests' hands.
pub(super) fn held(taken: &Path) -> usize {
    let dir = taken.parent().map(std::fs::read_dir);
    dir.into_iter().flatten().flatten().count()
}

/// Keeps the database of a failed test until the server ends; returns the file that stands for it from now on.
pub(super) fn keep(taken: &Path) -> PathBuf {
    let kept = moved(taken, KEPT);
    std::fs::rename(taken, &kept).ok(); // the run may be gone
    kept
}

fn moved(taken: &Path, to: &str) -> PathBuf {
    let dir = taken.parent().and_then(Path::parent).expect("a database's file is two folders deep");
    dir.join(to).join(taken.file_name().unwrap_or_default())
}

/// How many tests wait for a copy of a template. A test that was killed while it waited does so no longer.
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

/// Says that the reaper holds a template.
pub(super) fn say_held(template: &Path) -> std::io::Result<()> {
    std::fs::write(template.join(HELD), "")
}

/// Tells those who wait for a copy of a template why they get none. Whoever comes later waits for another try.
pub(super) fn refuse(template: &Path, why: &str) {
    let waiting = std::fs::read_dir(template.join(WAITING)).into_iter().flatten().flatten();
    for file in waiting {
        // A reason that cannot be written leaves its test waiting, which has a limit.
        publish(template, &template.join(REFUSED).join(file.file_name()), why).ok();
        std::fs::remove_file(file.path()).ok();
    }
}

/// Tells all who wait, now or later, why no copies are made.
pub(super) fn fail(run: &Path, why: &str) {
    publish(run, &run.join(FAILED), why).ok(); // the run may be gone
}

/// Takes back what [`fail`] said, because another reaper goes on.
pub(super) fn recover(run: &Path) {
    std::fs::remove_file(run.join(FAILED)).ok(); // it never failed
}

/// Writes a file that nobody sees half-written; `dir` is on the same file system, and nobody looks for files of any name there.
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
        std::fs::write(&file, "").map_err(|cause| layout::unwritable(&file, &cause))?;
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

/// The reaper that makes the copies, as a test that waits for one sees it.
struct Reaper<'a> {
    run: &'a Path,
    looked: Option<Instant>,
    seen: Instant,
}

impl Reaper<'_> {
    fn of(run: &Path) -> Reaper<'_> {
        Reaper { run, looked: None, seen: Instant::now() }
    }

    /// Why nobody makes copies.
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
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;

    fn template() -> tempfile::TempDir {
        let template = tempfile::tempdir().unwrap();
        for folder in [WAITING, REFUSED] {
            std::fs::create_dir(template.path().join(folder)).unwrap();
        }
        template
    }

    #[test]
    fn a_test_that_was_killed_while_it_waited_is_waited_for_no_longer() {
        let template = template();
        let _waits = Waiting::new(template.path()).unwrap();
        let killed = template.path().join(WAITING).join("killed");
        #[expect(clippy::disallowed_methods, reason = "a file's age is told by the system's clock")]
        let then = SystemTime::now() - 3 * TAKE_LIMIT;
        File::create(&killed).unwrap().set_modified(then).unwrap();

        assert_eq!(waiting(template.path()), 1);
        assert!(!killed.exists());
    }

    #[test]
    fn a_refusal_is_told_to_those_who_wait_and_not_to_those_who_come_later() {
        let template = template();
        let (one, other) = (Waiting::new(template.path()), Waiting::new(template.path()));

        refuse(template.path(), "the disk is full");
        let later = Waiting::new(template.path()).unwrap();

        for told in [one, other] {
            assert_eq!(told.unwrap().refusal().unwrap(), "the disk is full");
        }
        assert_eq!((later.refusal(), waiting(template.path())), (None, 1));
    }
}
