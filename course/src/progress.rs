//! What the learner has done, in small text files under `.course/`.
//!
//! - `progress`: `task07-kafka 4/6`, or `task07-kafka 4/6 complete` if a check caught all before
//! - `verdicts`: `task07-kafka/<fault> caught <test>`, from the last check
//! - `programs`: `task07-kafka <path>`, the test program that the last check has built
//! - `hints`: `task07-kafka/<fault> 1`, how much of the fault was given away
//!
//! Invariant: a file is complete at any moment. It is written under another name and then renamed,
//! under a lock that two simultaneous checks share.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use testenv::Error;

/// How far the learner is in every task that was checked.
pub(crate) const PROGRESS: &str = "progress";
/// The last verdict of every fault.
pub(crate) const VERDICTS: &str = "verdicts";
/// The learner's test program of every task, from the last check.
pub(crate) const PROGRAMS: &str = "programs";
/// How many hints were given for a fault.
pub(crate) const HINTS: &str = "hints";

/// The word of a row of [`VERDICTS`].
pub(crate) fn word(row: &str) -> &str {
    row.split(' ').next().unwrap_or_default()
}

/// The test that caught the fault of a row of [`VERDICTS`].
pub(crate) fn catcher(row: &str) -> Option<&str> {
    row.strip_prefix("caught ")
}

/// The lines `key value` of one file.
pub(crate) type Rows = BTreeMap<String, String>;

/// The folder `.course/` of a workspace.
pub(crate) struct Notes {
    dir: PathBuf,
}

impl Notes {
    /// The notes of the workspace at `root`. Creates nothing until something is written.
    pub(crate) fn of(root: &Path) -> Notes {
        Notes { dir: root.join(".course") }
    }

    /// The rows of a file. Empty when the file was never written.
    pub(crate) fn rows(&self, file: &str) -> Result<Rows, Error> {
        let path = self.dir.join(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text
                .lines()
                .filter_map(|line| line.split_once(' '))
                .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
                .collect()),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Rows::new())
            }
            Err(e) => Err(self.unkept(&path, &e)),
        }
    }

    /// Changes the rows of a file.
    pub(crate) fn update(&self, file: &str, change: impl FnOnce(&mut Rows)) -> Result<(), Error> {
        let path = self.dir.join(file);
        let _lock = self.lock().map_err(|e| self.unkept(&path, &e))?;
        let mut rows = self.rows(file)?;
        change(&mut rows);
        let text: String = rows.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
        self.replace(&path, &text).map_err(|e| self.unkept(&path, &e))
    }

    /// Keeps a copy of a learner's file under a new number: `saved/task07-kafka/exercise-2.rs`.
    pub(crate) fn save(&self, task: &str, text: &str) -> Result<PathBuf, Error> {
        let dir = self.dir.join("saved").join(task);
        std::fs::create_dir_all(&dir).map_err(|e| self.unkept(&dir, &e))?;
        for number in 1.. {
            let path = dir.join(format!("exercise-{number}.rs"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(text.as_bytes())
                        .and_then(|()| file.sync_all())
                        .map_err(|e| self.unkept(&path, &e))?;
                    return Ok(path);
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(self.unkept(&path, &e)),
            }
        }
        unreachable!("some number is free")
    }

    fn lock(&self) -> std::io::Result<File> {
        std::fs::create_dir_all(&self.dir)?;
        let lock = OpenOptions::new().create(true).append(true).open(self.dir.join("lock"))?;
        lock.lock()?; // held for the length of one small write
        Ok(lock)
    }

    fn replace(&self, path: &Path, text: &str) -> std::io::Result<()> {
        let mut scratch = tempfile::NamedTempFile::new_in(&self.dir)?;
        scratch.write_all(text.as_bytes())?;
        scratch.as_file().sync_all()?; // a full disk says so here, while the old file is still in its place
        scratch.persist(path).map(drop).map_err(|e| e.error)
    }

    fn unkept(&self, path: &Path, cause: &std::io::Error) -> Error {
        let dir = crate::say::quoted(self.dir.display());
        Error::new(format!(
            "what you have done could not be kept: {} cannot be written",
            path.display()
        ))
        .cause(cause)
        .fix(format!(
            "make room on its disk, or see to its rights: ls -ld {dir}; df {dir}; then check again"
        ))
    }
}

/// How far the learner is in a task: `4/6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Score {
    /// How many faults the last check caught.
    pub(crate) caught: usize,
    /// How many faults the task had at the last check.
    pub(crate) of: usize,
    /// Whether this check, or one before, caught them all.
    pub(crate) is_complete: bool,
}

impl Score {
    /// The score of a check.
    pub(crate) fn new(caught: usize, of: usize) -> Score {
        Score { caught, of, is_complete: caught == of }
    }

    /// The score of a task. `None` when the task was never checked.
    pub(crate) fn of_task(rows: &Rows, task: &str) -> Option<Score> {
        let row = rows.get(task)?;
        let (score, is_complete) = match row.strip_suffix(COMPLETE) {
            Some(score) => (score, true),
            None => (row.as_str(), false),
        };
        let (caught, of) = score.split_once('/')?;
        let score = Score::new(caught.parse().ok()?, of.parse().ok()?);
        Some(Score { is_complete: score.is_complete || is_complete, ..score })
    }

    /// Whether this check has lost what one before had. A task that was complete stays so, until it
    /// has more faults.
    pub(crate) fn falls_back(self, before: Option<Score>) -> bool {
        self.caught < self.of
            && before.is_some_and(|before| before.is_complete && before.of == self.of)
    }

    /// The row of this score, after the one before.
    pub(crate) fn row_after(self, before: Option<Score>) -> String {
        format!("{self}{}", if self.falls_back(before) { COMPLETE } else { "" })
    }
}

/// What a row says of a task that was complete before its last check.
const COMPLETE: &str = " complete";

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.caught, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::{Notes, PROGRESS, Score};

    #[test]
    fn what_was_written_is_read_back_beside_what_was_there() {
        let root = tempfile::tempdir().unwrap();
        let notes = Notes::of(root.path());

        notes.update(PROGRESS, |rows| drop(rows.insert("task01-a".into(), "1/4".into()))).unwrap();
        notes.update(PROGRESS, |rows| drop(rows.insert("task02-b".into(), "2/2".into()))).unwrap();

        assert_eq!(
            std::fs::read_to_string(root.path().join(".course/progress")).unwrap(),
            "task01-a 1/4\ntask02-b 2/2\n"
        );
        assert_eq!(
            Score::of_task(&notes.rows(PROGRESS).unwrap(), "task02-b"),
            Some(Score::new(2, 2))
        );
    }

    #[test]
    fn every_saved_file_has_a_number_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let notes = Notes::of(root.path());

        let (first, second) = (notes.save("t", "one").unwrap(), notes.save("t", "two").unwrap());

        assert!(first.ends_with(".course/saved/t/exercise-1.rs"));
        assert_eq!(std::fs::read_to_string(second).unwrap(), "two");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named_with_the_cure() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(".course"), "a file").unwrap();

        let error = Notes::of(root.path()).update(PROGRESS, |_| ()).unwrap_err().to_string();

        assert!(
            error.contains(".course/progress cannot be written") && error.contains("to fix: "),
            "{error}"
        );
    }
}
