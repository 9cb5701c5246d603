//! Databases kept ready: a file for each, taken by renaming it, which is atomic across processes.
//!
//! `<run>/pg/<template>/` holds `ready/` (copies that nobody has had), `taken/`, `used/` (to be dropped) and `kept/` (of failed tests). The keeper
//! moves the first and the third along; see [`super::maintainer`].

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::template::Built;
use crate::run::Run;
use crate::{Error, secret, wait};

pub(super) const READY: &str = "ready";
pub(super) const TAKEN: &str = "taken";
pub(super) const USED: &str = "used";
pub(super) const KEPT: &str = "kept";

/// Why the keeper makes no copies any more.
pub(super) const FAILED: &str = "pg.failed";

/// Where tests ring for the keeper.
pub(super) const BELL: &str = "bell";

/// A copy takes 10 ms; five hundred tests that begin at once wait for the last of theirs.
const TAKE_LIMIT: Duration = Duration::from_secs(60);

/// The keeper makes one in 10 ms: asked any less often, a test would wait for its turn to look.
const LOOK: Duration = Duration::from_millis(1);

/// Where the runs' templates are.
pub(super) fn dir(run: &Path) -> PathBuf {
    run.join("pg")
}

/// Takes a ready database: its name, and the file that stands for it.
pub(super) async fn take(run: &'static Run, template: &Built) -> Result<(String, PathBuf), Error> {
    let dir = dir(run.dir()).join(&template.name);
    if let Some(taken) = try_take(&dir) {
        ring(run.dir());
        return Ok(taken);
    }
    // A file that says that somebody waits: the keeper makes as many as there are.
    let _waiting = Waiting::new(&dir);
    ring(run.dir());
    let look = || match (try_take(&dir), std::fs::read_to_string(run.dir().join(FAILED))) {
        (Some(taken), _) => Ok(Ok(taken)),
        (None, Ok(why)) => Ok(Err(no_copy(why))),
        (None, Err(_)) => Err("none is ready"),
    };
    let what = "a copy of the template, which the keeper makes";
    wait::until_every(LOOK, TAKE_LIMIT, what, || std::future::ready(look())).await?
}

fn no_copy(why: String) -> Error {
    let is_full = why.contains("No space left");
    let error = Error::new("the server makes no copy of the template").cause(why);
    if !is_full {
        return error.fix("cargo course doctor");
    }
    error
        .fix("make room on the disk of the server's data: 8 MB for each test that runs at once")
        .fix("run fewer at once: cargo test -- --test-threads=2")
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
    let _run_is_gone = std::fs::rename(taken, moved(taken, USED));
    ring(run.dir());
}

/// How many databases of the same template are in tests' hands.
pub(super) fn held(taken: &Path) -> usize {
    let dir = taken.parent().map(std::fs::read_dir);
    dir.into_iter().flatten().flatten().count()
}

/// Keeps the database of a failed test until the server ends.
pub(super) fn keep(taken: &Path) {
    let _run_is_gone = std::fs::rename(taken, moved(taken, KEPT));
}

fn moved(taken: &Path, to: &str) -> PathBuf {
    let dir = taken.parent().and_then(Path::parent).expect("a database's file is two folders deep");
    dir.join(to).join(taken.file_name().unwrap_or_default())
}

/// Wakes the keeper. A bell that nobody hears (the keeper was killed) or that is already ringing needs no second ring.
pub(super) fn ring(run: &Path) {
    let bell = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(run.join(BELL));
    let _heard_or_not = bell.and_then(|mut bell| bell.write_all(b"!"));
}

/// A test that waits for a copy, as the keeper sees it.
struct Waiting {
    file: PathBuf,
}

impl Waiting {
    fn new(dir: &Path) -> Waiting {
        let file = dir.join("waiting").join(secret::word());
        // Without it the keeper makes its usual number only.
        let _unseen = std::fs::write(&file, "");
        Waiting { file }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.file);
    }
}
