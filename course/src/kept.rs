//! Runs that were kept, in a file of `.course/`: a run on each line.
//!
//! Invariant: nothing that was kept is ever changed. A line is added whole, under a lock, and after a line that
//! was cut the next one begins anew.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use testenv::Error;

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line<R> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(flatten)]
    run: R,
}

/// The file with the kept runs of a workspace.
pub(crate) struct Kept<R> {
    path: PathBuf,
    runs: PhantomData<R>,
}

/// What is in the file.
#[derive(Debug)]
pub(crate) struct Runs<R> {
    /// The oldest first.
    pub(crate) runs: Vec<R>,
    /// The numbers of the lines that are no runs.
    pub(crate) unreadable: Vec<usize>,
}

impl<R: Serialize + DeserializeOwned + PartialEq> Kept<R> {
    /// The runs that the workspace at `root` keeps in this file. Creates nothing.
    pub(crate) fn of(root: &Path, file: &str) -> Kept<R> {
        Kept { path: root.join(".course").join(file), runs: PhantomData }
    }

    /// Where they are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file. Empty when nothing was ever kept.
    pub(crate) fn read(&self) -> Result<Runs<R>, Error> {
        match File::open(&self.path) {
            Ok(mut file) => {
                file.lock_shared().map_err(|e| self.failed("read", &e))?;
                read(&mut file).map_err(|e| self.failed("read", &e))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Runs::none()),
            Err(e) => Err(self.failed("read", &e)),
        }
    }

    /// Adds a run, unless the same run is there already. Returns whether it was added.
    pub(crate) fn add(&self, run: &R, commit: Option<String>) -> Result<bool, Error> {
        self.add_line(run, commit).map_err(|e| self.failed("written", &e))
    }

    fn add_line(&self, run: &R, commit: Option<String>) -> std::io::Result<bool> {
        std::fs::create_dir_all(self.path.parent().expect("it is in .course/"))?;
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(&self.path)?;
        file.lock()?; // until the file is closed
        if read::<R>(&mut file)?.runs.contains(run) {
            return Ok(false);
        }
        let mut line = serde_json::to_vec(&Line { commit, run })?;
        line.push(b'\n');
        if !ends_with_a_line(&mut file)? {
            line.insert(0, b'\n');
        }
        file.write_all(&line)?;
        file.sync_all()?;
        Ok(true)
    }

    fn failed(&self, what: &str, cause: &std::io::Error) -> Error {
        let path = crate::say::quoted(self.path.display());
        Error::new(format!("the kept runs cannot be {what}: {}", self.path.display()))
            .cause(cause)
            .fix(format!("see to its rights and to the room on its disk: ls -ld {path}; df {path}"))
    }
}

impl<R> Runs<R> {
    fn none() -> Runs<R> {
        Runs { runs: Vec::new(), unreadable: Vec::new() }
    }
}

fn read<R: DeserializeOwned>(file: &mut File) -> std::io::Result<Runs<R>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let mut found = Runs::none();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        match serde_json::from_slice::<Line<R>>(line) {
            Ok(line) => found.runs.push(line.run),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) => found.unreadable.push(at + 1),
        }
    }
    Ok(found)
}

fn ends_with_a_line(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use task25_report::{Run, parse};

    use super::Kept;

    fn run(seconds: &str) -> Run {
        let test = format!(r#"<testcase name="a" classname="s::it" time="{seconds}"/>"#);
        parse(&format!(
            r#"<testsuites time="1"><testsuite name="s">{test}</testsuite></testsuites>"#
        ))
        .unwrap()
    }

    #[test]
    fn what_was_kept_is_read_back_once_and_in_order() {
        let root = tempfile::tempdir().unwrap();
        let kept = Kept::of(root.path(), "reports.jsonl");

        let added = ["0.513", "2", "0.513"].map(|time| kept.add(&run(time), None).unwrap());

        assert_eq!(added, [true, true, false]);
        assert_eq!(kept.read().unwrap().runs, [run("0.513"), run("2")]);
        let line = r#"{"wall":1.0,"tests":[{"suite":"s::it","name":"a","outcome":"passed","time":0.513}]}"#;
        assert_eq!(std::fs::read_to_string(kept.path()).unwrap().lines().next(), Some(line));
    }

    #[test]
    fn a_line_that_was_cut_is_named_and_stays() {
        let root = tempfile::tempdir().unwrap();
        let kept = Kept::of(root.path(), "reports.jsonl");
        kept.add(&run("1"), None).unwrap();
        let whole = std::fs::read_to_string(kept.path()).unwrap();
        let cut = format!("{whole}{}", &whole[..whole.len() / 2]);
        std::fs::write(kept.path(), &cut).unwrap();

        kept.add(&run("2"), Some("abc1234".into())).unwrap();

        let read = kept.read().unwrap();
        assert_eq!((read.runs, read.unreadable), (vec![run("1"), run("2")], vec![2]));
        assert!(std::fs::read_to_string(kept.path()).unwrap().starts_with(&cut));
    }

    #[test]
    fn two_that_keep_at_once_lose_nothing() {
        let root = tempfile::tempdir().unwrap();
        let add = |from: u32| {
            let kept = Kept::of(root.path(), "reports.jsonl");
            for at in from..from + 20 {
                assert!(kept.add(&run(&at.to_string()), None).unwrap());
            }
        };

        std::thread::scope(|scope| [0, 20].map(|from| drop(scope.spawn(move || add(from)))));

        let read = Kept::<Run>::of(root.path(), "reports.jsonl").read().unwrap();
        assert_eq!((read.runs.len(), read.unreadable), (40, vec![]));
    }
}
