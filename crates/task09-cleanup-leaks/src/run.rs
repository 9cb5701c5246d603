//! Runs a suite in a process of its own, which ends in the way that the caller chooses.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testenv::fault::{FAULT_VAR, PROGRAM_VAR};
use testenv::tools::{ID_VAR, Run};
use testenv::{Error, fault};

use crate::lab::{self, Kind};
use crate::specimen::{Reaper, Specimen, selected};
use crate::suite;

/// How a suite ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All tests pass.
    Pass,
    /// A test panics.
    Panic,
    /// Somebody calls `std::process::exit(0)` in the middle.
    Exit,
    /// SIGKILL, as after a time limit or for lack of memory.
    Kill,
}

impl End {
    /// All ends.
    pub const ALL: [End; 4] = [End::Pass, End::Panic, End::Exit, End::Kill];

    pub(crate) fn word(self) -> &'static str {
        match self {
            End::Pass => "pass",
            End::Panic => "panic",
            End::Exit => "exit",
            End::Kill => "kill",
        }
    }
}

/// A suite that has ended.
///
/// Hold it until you have looked. Dropping it removes everything that the suite left, so that the
/// lesson itself leaves nothing.
#[derive(Debug)]
#[must_use = "dropped, it removes what you want to look at"]
pub struct Ran {
    label: String,
    made: Vec<String>,
    others: Vec<String>,
}

impl Ran {
    /// The value of the label `lab.suite` on the suite's resources.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The names of all resources that the suite created, from the suite's own log.
    pub fn made(&self) -> &[String] {
        &self.made
    }

    /// The names of the resources of two other suites, which still run. Their labels are similar:
    /// one begins with this suite's label, the other ends with it.
    pub fn others(&self) -> &[String] {
        &self.others
    }
}

impl Drop for Ran {
    fn drop(&mut self) {
        let names = [std::mem::take(&mut self.made), std::mem::take(&mut self.others)].concat();
        // `join` waits: the next test should not see them. On a thread, because a panic in `drop` could
        // abort the test.
        let _refused = std::thread::Builder::new()
            .spawn(move || suite::remove_all(|thing| names.contains(&thing.name)))
            .map(std::thread::JoinHandle::join);
    }
}

/// Runs a suite to this end. Returns when its process is gone and its reaper, if any, has started.
///
/// # Panics
///
/// If the suite cannot be started or cannot create its resources.
pub fn run(end: End) -> Ran {
    start(selected(), end)
}

/// Runs a suite that leaks on purpose.
///
/// The suite creates one resource of each kind, and a stopped server. Then it is killed. It has no
/// reaper.
///
/// # Panics
///
/// As [`run`].
pub fn leak() -> Ran {
    let id = if fault!("label-forgotten") { "leaks-without-a-label" } else { "leaks" };
    start(id, End::Kill)
}

fn start(id: &str, end: End) -> Ran {
    let label = lab::word();
    let others = [format!("{label}2"), format!("other-{label}")]
        .map(|other| lab::make(Kind::Volume, Some(&other), &[]));
    let mut ran = Ran { others: others.into(), made: Vec::new(), label };
    let specimen = Specimen::named(id);

    let mut child = spawn(id, &ran.label, end).unwrap_or_else(|error| panic!("{error}"));
    let is_ready = read_names(&mut child, &mut ran.made);
    if end == End::Kill || !is_ready {
        child.kill().expect("a child that nobody has waited for can be killed");
    }
    let output = child.wait_with_output().expect("its pipes can be read");
    assert!(
        is_ready,
        "the suite made not all it wanted: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    match specimen.reaper {
        Reaper::None => {}
        Reaper::AtOnce => suite::tear_down(&ran.label, &specimen),
        Reaper::After(grace) => reap_after(grace, ran.label.clone(), specimen),
    }
    ran
}

/// Works like a reaper that first waits for another process of the suite to appear.
fn reap_after(grace: Duration, label: String, specimen: Specimen) {
    std::thread::spawn(move || {
        std::thread::park_timeout(grace);
        suite::tear_down(&label, &specimen);
    });
}

fn spawn(id: &str, label: &str, end: End) -> Result<Child, Error> {
    let run = Run::join()?;
    let program = program();
    Command::new(&program)
        .args([label, end.word(), id])
        // The child belongs to this test's run; otherwise it would start a run of its own.
        .env(ID_VAR, run.dir().file_name().unwrap_or_default())
        .env_remove(FAULT_VAR)
        .env_remove(PROGRAM_VAR)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|cause| {
            Error::new(format!("cannot start {}", program.display()))
                .cause(cause)
                .fix("cargo build -p task09-cleanup-leaks")
        })
}

/// Cargo puts a package's programs into the folder above its tests.
fn program() -> PathBuf {
    let mut dir = std::env::current_exe().unwrap_or_default();
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    dir.join(format!("task09-suite{}", std::env::consts::EXE_SUFFIX))
}

/// Reads the names of the suite's resources. Returns true if the suite reports that all exist.
fn read_names(child: &mut Child, names: &mut Vec<String>) -> bool {
    let stdout: &mut dyn Read = child.stdout.as_mut().expect("it is piped");
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if line == suite::READY {
            return true;
        }
        names.push(line);
    }
    false
}
