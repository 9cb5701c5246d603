//! A test program of a task: cargo builds it, and we run it ourselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use testenv::Error;

use crate::faults::Tier;
use crate::process::{self, Guard, Run};
use crate::say::{self, Ongoing};
use crate::tasks::{Course, Task};

/// A built test program.
pub(crate) struct Suite {
    /// The program.
    pub(crate) program: PathBuf,
    /// The file of the tests. Only a panic in this file is a verdict of the tests.
    pub(crate) source: PathBuf,
    /// The directory in which the compiler ran. A relative path that the compiler was given starts
    /// here.
    pub(crate) compiled_in: PathBuf,
    /// The folder of the task. The tests run in it, as they do under cargo.
    pub(crate) dir: PathBuf,
    /// The package that cargo would name to the tests.
    pub(crate) package: String,
    /// How it was built.
    pub(crate) tier: Tier,
}

/// What the compiler said about a suite that it refused.
pub(crate) struct Refused(pub(crate) String);

/// The state of one check: its time limit, its scratch directory, and the run that all its
/// processes join.
pub(crate) struct Bench {
    /// The longest time that one process may take.
    pub(crate) limit: Duration,
    /// The directory for the files of this check. It is removed with the check.
    pub(crate) scratch: tempfile::TempDir,
    guard: Guard,
    run: String,
    // Servers stay between the processes of the check as long as this is held.
    _guard: testenv::tools::RunGuard,
}

impl Bench {
    /// Opens a run for this check. The run lasts until the value is dropped.
    pub(crate) fn new(limit: Duration) -> Result<Bench, Error> {
        let prefix = format!("course-{}-", std::process::id());
        let scratch =
            tempfile::Builder::new().prefix(&prefix).tempdir().map_err(process::no_scratch)?;
        let run =
            scratch.path().file_name().and_then(|name| name.to_str()).unwrap_or(&prefix).to_owned();
        Ok(Bench {
            limit,
            guard: Guard::new(scratch.path())?,
            _guard: testenv::tools::hold_open(&run)?,
            scratch,
            run,
        })
    }

    /// Runs a suite once, without the variables of the caller's environment that would change what
    /// the suite does or prints.
    pub(crate) fn run(
        &self,
        suite: &Suite,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Run, Error> {
        let mut command = Command::new(&suite.program);
        for variable in [
            "COURSE_FAULT",
            "COURSE_REACHED",
            "RUST_TEST_NOCAPTURE",
            "RUST_TEST_SHUFFLE",
            "RUST_TEST_SHUFFLE_SEED",
            "RUST_TEST_THREADS",
        ] {
            command.env_remove(variable);
        }
        command
            .args(["--color", "never"])
            .args(arguments)
            .current_dir(&suite.dir)
            .env("CARGO_MANIFEST_DIR", &suite.dir)
            .env("CARGO_MANIFEST_PATH", suite.dir.join("Cargo.toml"))
            .env("CARGO_PKG_NAME", &suite.package)
            .env("CARGO_PKG_VERSION", env!("CARGO_PKG_VERSION")) // the workspace has one version
            .env("RUST_BACKTRACE", "0")
            .env(testenv::tools::ID_VAR, &self.run)
            .envs(variables.iter().copied());
        process::run(&mut command, self.limit, Some(&self.guard))
    }
}

/// The part of cargo's message about a built target that matters here.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    manifest_path: PathBuf,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    src_path: PathBuf,
}

/// Builds the named test targets of a task and returns each under its name.
pub(crate) fn build(
    course: &Course,
    task: &Task,
    targets: &[&str],
    tier: Tier,
) -> Result<Result<BTreeMap<String, Suite>, Refused>, Error> {
    let mut command = Command::new(process::cargo());
    command.current_dir(&course.root).args([
        "test",
        "--no-run",
        "--message-format=json-render-diagnostics",
        "--package",
        &task.name,
    ]);
    for target in targets {
        command.args(["--test", target]);
    }
    command.args(tier.typed().split_whitespace());
    // The words of the compiler are shown as it would show them here.
    command
        .env("CARGO_TERM_COLOR", if colour() { "always" } else { "never" })
        .env("CARGO_TERM_PROGRESS_WHEN", "never");

    let _going_on = Ongoing::new(format!("building the tests of {}", task.name));
    let run = process::run(&mut command, BUILD_LIMIT, None)?;
    if !run.success() {
        let words: Vec<&str> = run.stderr.lines().filter(|line| !is_status(line)).collect();
        return Ok(Err(Refused(words.join("\n"))));
    }
    let artifacts =
        run.stdout.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let suites = artifacts.filter_map(|artifact| {
        let dir = artifact.manifest_path.parent()?.to_owned();
        // A path with a symbolic link in it has two spellings.
        let ours = dir == task.dir || dir.canonicalize().ok()? == task.dir.canonicalize().ok()?;
        let wanted = ours && targets.contains(&artifact.target.name.as_str());
        let program = artifact.executable.filter(|_| wanted)?;
        let (source, package) = (artifact.target.src_path, task.name.clone());
        Some((
            artifact.target.name,
            Suite { program, source, compiled_in: course.root.clone(), dir, package, tier },
        ))
    });
    let suites: BTreeMap<String, Suite> = suites.collect();
    match targets.iter().find(|target| !suites.contains_key(**target)) {
        Some(lost) => {
            Err(Error::new(format!("cargo built no test program `{lost}` for {}", task.name)))
        }
        None => Ok(Ok(suites)),
    }
}

/// Runs a test command over the whole workspace in one run. Its output goes to our own output.
pub(crate) fn stream(course: &Course, arguments: &[&str], run: &str) -> Result<bool, Error> {
    let mut command = Command::new(process::cargo());
    command.current_dir(&course.root).args(arguments).env(testenv::tools::ID_VAR, run);
    Ok(command.status().map_err(|e| Error::new("cannot run cargo").cause(e))?.success())
}

fn colour() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// librdkafka takes 75 s on two cores. A slow machine that also downloads gets ten times that
/// before we call it hung.
const BUILD_LIMIT: Duration = Duration::from_mins(15);

/// Whether a line is cargo's own (`Compiling x`). Such lines would hide those of the compiler.
fn is_status(line: &str) -> bool {
    let plain = anstream::adapter::strip_str(line).to_string();
    let first = plain.split_whitespace().next().unwrap_or_default();
    plain.starts_with(' ')
        && [
            "Compiling",
            "Finished",
            "Fresh",
            "Blocking",
            "Downloading",
            "Downloaded",
            "Updating",
            "Locking",
            "Adding",
            "Executable",
        ]
        .contains(&first)
}

impl Suite {
    /// Whether a file named in a panic is the file of the tests.
    pub(crate) fn is_own(&self, file: &str) -> bool {
        let path = self.compiled_in.join(file);
        path == self.source
            || matches!((path.canonicalize(), self.source.canonicalize()), (Ok(a), Ok(b)) if a == b)
    }

    /// The command that runs one test again.
    pub(crate) fn again(&self, test: &str) -> String {
        let target = self.source.file_stem().unwrap_or_default().display();
        let (package, tier) = (&self.package, self.tier.typed());
        format!("cargo test -p {package}{tier} --test {target} -- --exact {}", say::quoted(test))
    }

    /// The file of a panic, as the user would type it.
    pub(crate) fn shown<'a>(&self, file: &'a str) -> std::path::Display<'a> {
        say::short(&self.compiled_in, Path::new(file))
    }
}
