//! `watch`: checks a task whenever a file of its tests is saved. One key each for what is asked most.
//!
//! Invariant: the terminal is left as it was, however the command ends.

use std::collections::{BTreeMap, VecDeque};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime};

use notify::{PollWatcher, RecursiveMode, Watcher, recommended_watcher};
use testenv::Error;

use crate::learn;
use crate::process;
use crate::say::{self, DIM, paint};
use crate::tasks::{Course, Task};
use crate::terminal::Keys;

/// An editor writes a file in several steps.
const SETTLE: Duration = Duration::from_millis(100);

/// How often the files are looked at, for a file system that does not tell of changes: a network's,
/// that of a container, or of another operating system.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked whether a check has ended.
const POLL: Duration = Duration::from_millis(50);

/// What the command reacts to.
enum Happened {
    Key(u8),
    Saved,
    /// Nobody can type a key.
    NoKeys,
}

/// Checks a task at once, and again at each save, until `q` is typed.
pub(crate) fn watch(course: &Course, task: &Task, words: &[String]) -> Result<ExitCode, Error> {
    let (tell, told) = mpsc::channel();
    let _keys = Keys::read_one_by_one()?;
    hear_keys(tell.clone());
    let mut watched = Watched { course, task, words, told, tell };
    loop {
        let watcher = watched.watcher()?;
        let next = watched.until_next_task()?;
        drop(watcher);
        match next {
            Some(task) => watched.task = task,
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

struct Watched<'a> {
    course: &'a Course,
    task: &'a Task,
    /// Options for each check.
    words: &'a [String],
    told: Receiver<Happened>,
    tell: Sender<Happened>,
}

impl<'a> Watched<'a> {
    /// Tells of changes below `tests/` until it is dropped: at once where the system does, and after
    /// a look everywhere.
    fn watcher(&self) -> Result<(Box<dyn Watcher>, PollWatcher), Error> {
        let tests = self.tests();
        let blind = |cause: notify::Error| {
            Error::new(format!("the changes in {} cannot be seen", tests.display())).cause(cause)
        };
        let saved = |tell: Sender<Happened>| {
            move |event: notify::Result<notify::Event>| {
                if event.is_ok_and(|event| !event.kind.is_access()) {
                    tell.send(Happened::Saved).ok(); // at the end, nobody listens
                }
            }
        };
        let looks = notify::Config::default().with_poll_interval(LOOK);
        let mut looks = PollWatcher::new(saved(self.tell.clone()), looks).map_err(blind)?;
        looks.watch(&tests, RecursiveMode::Recursive).map_err(blind)?;
        let mut told: Box<dyn Watcher> =
            Box::new(recommended_watcher(saved(self.tell.clone())).map_err(blind)?);
        told.watch(&tests, RecursiveMode::Recursive).ok(); // the looks are enough
        Ok((told, looks))
    }

    /// Checks the task until the learner goes on to another task, or ends.
    fn until_next_task(&self) -> Result<Option<&'a Task>, Error> {
        let mut checked = Saved::below(&self.tests());
        let mut check = Some(self.begin()?);
        let mut typed = VecDeque::new();
        loop {
            let happened = typed.pop_front().unwrap_or_else(|| self.told.recv_timeout(POLL));
            let happened = match happened {
                Ok(happened) => happened,
                Err(RecvTimeoutError::Timeout) => {
                    if check.as_mut().is_some_and(Check::has_ended) {
                        check = None;
                        self.show_keys();
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            };
            match happened {
                Happened::Saved => {
                    while let Ok(happened) = self.told.recv_timeout(SETTLE) {
                        typed.extend(
                            Some(happened).filter(|it| matches!(it, Happened::Key(_))).map(Ok),
                        );
                    }
                    // The same save is told a second time by a look.
                    let saved = Saved::below(&self.tests());
                    if saved != checked {
                        checked = saved;
                        drop(check.take());
                        check = Some(self.begin()?);
                    }
                }
                Happened::Key(b'q' | 3 | 4) => return Ok(None), // Ctrl-C, Ctrl-D
                Happened::Key(b'\n' | b'\r' | b' ') => {
                    drop(check.take());
                    check = Some(self.begin()?);
                }
                Happened::Key(b'h') => drop(learn::hint(self.course, self.task, None)?),
                Happened::Key(b'l') => drop(learn::list(self.course)?),
                Happened::Key(b'n') => match learn::upcoming(self.course)? {
                    Some(task) if task.name != self.task.name => {
                        learn::next(self.course)?;
                        return Ok(Some(task));
                    }
                    _ => say::out(format_args!("{} is the next task", self.task.name)),
                },
                Happened::Key(_) => self.show_keys(),
                Happened::NoKeys => {}
            }
        }
    }

    fn tests(&self) -> PathBuf {
        self.task.dir.join("tests")
    }

    fn begin(&self) -> Result<Check, Error> {
        if std::io::stdout().is_terminal() {
            say::out("\x1b[2J\x1b[H"); // the last verdict, and nothing before it
        }
        Check::begin(self.task, self.words)
    }

    fn show_keys(&self) {
        say::out(paint(
            DIM,
            format_args!(
                "watching {}: save to check again, or type Enter; h hint, l list, n next, q quit",
                say::short(&self.course.root, &self.task.exercise())
            ),
        ));
    }
}

/// What the files of the tests were when they were checked: their sizes and times.
#[derive(PartialEq, Eq)]
struct Saved(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Saved {
    fn below(folder: &Path) -> Saved {
        let (mut files, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) => {
                        files.insert(entry.path(), (metadata.len(), metadata.modified().ok()));
                    }
                    Err(_) => {} // it is gone again
                }
            }
        }
        Saved(files)
    }
}

/// A check in a process of its own, so that the next save can end it.
struct Check {
    process: Child,
}

impl Check {
    fn begin(task: &Task, words: &[String]) -> Result<Check, Error> {
        let program = std::env::current_exe()
            .map_err(|cause| Error::new("this program cannot be found").cause(cause))?;
        let mut command = Command::new(program);
        command.args(["check", &task.name]).args(words).stdin(Stdio::null());
        let process = command.spawn();
        Ok(Check { process: process.map_err(|cause| process::cannot_start("check", cause))? })
    }

    fn has_ended(&mut self) -> bool {
        self.process.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        // What it has started ends with it.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn hear_keys(tell: Sender<Happened>) {
    std::thread::spawn(move || {
        for key in std::io::stdin().lock().bytes().map_while(Result::ok) {
            if tell.send(Happened::Key(key)).is_err() {
                return;
            }
        }
        tell.send(Happened::NoKeys).ok();
    });
}
