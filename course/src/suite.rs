//! A test program of a task: cargo builds it, and we run it ourselves.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use testenv::Error;
use testenv::fault::{FAULT_VAR, PROGRAM_VAR, Program};
use testenv::tools::{self, GRACE_VAR, RunGuard, START_VAR, TMPDIR_VAR};

use crate::faults::Tier;
use crate::lanes::Lanes;
use crate::process::{self, Guard, Run};
use crate::say::{self, DIM, Ongoing, paint};
use crate::seed;
use crate::tasks::{Course, Task};

/// The suites of a task: the learner's, and the finished one.
pub(crate) const SUITES: [&str; 2] = ["exercise", "solution"];

/// A built test program.
pub(crate) struct Suite {
    /// The program.
    pub(crate) program: PathBuf,
    /// The file of the tests.
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
    /// The processes that grade suites.
    pub(crate) lanes: Lanes,
    /// Ends what this check has started, if the check is killed.
    pub(crate) guard: Guard,
    run: String,
    /// For how long the run's servers stay after its last process, if not for as long as usual.
    grace: Option<Duration>,
    // Servers stay between the processes of the check as long as this is held.
    _guard: RunGuard,
}

/// For how long a check keeps its servers for the next one.
const WARM: Duration = Duration::from_mins(3);

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
            _guard: tools::hold_open(&run)?,
            grace: None,
            lanes: Lanes::default(),
            scratch,
            run,
        })
    }

    /// The same, in a run that the next check of the workspace finds with its servers. If it is not
    /// found, it ends by itself. If this process is killed, it ends at once.
    ///
    /// In a CI nobody checks a second time, and who has set the time has set it.
    pub(crate) fn warm(course: &Course, limit: Duration) -> Result<Bench, Error> {
        let bench = Bench::new(limit)?;
        if std::env::var_os("CI").is_some() || std::env::var_os(GRACE_VAR).is_some() {
            return Ok(bench);
        }
        // A name that every workspace of every user has for itself.
        let mut hash = DefaultHasher::new();
        course.root.hash(&mut hash);
        let run = format!("course-warm-{:016x}", hash.finish());
        let guard = tools::hold_open(&run)?;
        bench.guard.tells(&guard.given_up());
        Ok(Bench { run, grace: Some(WARM), _guard: guard, ..bench })
    }

    /// Says for how long the servers stay, if any were started.
    pub(crate) fn say_what_stays(&self) {
        if let Some(grace) = self.grace.filter(|_| self._guard.has_servers()) {
            let minutes = grace.as_secs() / 60;
            say::note(paint(
                DIM,
                format_args!(
                    "the servers stay {minutes} minutes for the next check, then they end by themselves"
                ),
            ));
        }
    }

    /// Starts the servers that a task needs. Every test program of the task can do that.
    pub(crate) fn start_servers(&self, suite: &Suite, services: &str) {
        if !services.is_empty() {
            // A test that needs the server starts it, or says why it cannot.
            self.run(suite, &["--list"], &[(START_VAR, services)]).ok();
        }
    }

    /// Runs a suite once, without the variables of the caller's environment that would change what
    /// the suite does or prints.
    pub(crate) fn run(
        &self,
        suite: &Suite,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Run, Error> {
        self.run_until(suite, arguments, variables, None)
    }

    /// The same, until the standard output so far is enough.
    fn run_until(
        &self,
        suite: &Suite,
        arguments: &[&str],
        variables: &[(&str, &str)],
        is_enough: Option<&dyn Fn(&str) -> bool>,
    ) -> Result<Run, Error> {
        let files = tempfile::Builder::new().prefix("t").tempdir_in(self.scratch.path());
        let files = files.map_err(process::no_scratch)?;
        let mut command = Command::new(&suite.program);
        for variable in [
            FAULT_VAR,
            PROGRAM_VAR,
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
            .env(tools::ID_VAR, &self.run)
            // A test that is ended early leaves its files there.
            .env("TMPDIR", files.path())
            // What the harness keeps outlives the process.
            .env(TMPDIR_VAR, tools::temporary_dir())
            .envs(self.grace.map(|grace| (GRACE_VAR, grace.as_millis().to_string())))
            .envs(variables.iter().copied());
        process::run_until(&mut command, self.limit, Some(&self.guard), is_enough)
    }

    /// Runs a suite once on the right program, or on the one with this fault, until its end or until
    /// its output is enough. Returns also which of the `known` faults its processes could have made.
    /// The processes are not told which program it is.
    pub(crate) fn run_on<'a>(
        &self,
        suite: &Suite,
        arguments: &[&str],
        fault: Option<&str>,
        known: impl IntoIterator<Item = &'a str>,
        is_enough: Option<&dyn Fn(&str) -> bool>,
    ) -> Result<(Run, BTreeSet<&'a str>), Error> {
        let file =
            tempfile::NamedTempFile::new_in(self.scratch.path()).map_err(process::no_scratch)?;
        if file.path().to_str().is_none() {
            let error = Error::new("the temporary directory's name is not UTF-8");
            return Err(error.fix("set TMPDIR to another one"));
        }
        let program = Program::new(fault, [seed::bits(), seed::bits()], file.path());
        let variables = [(PROGRAM_VAR, &*program.value())];
        let run = self.run_until(suite, arguments, &variables, is_enough)?;
        let reached = program.reached(known).map_err(process::no_scratch)?;
        Ok((run, reached))
    }
}

/// The part of cargo's message about a built target that matters here.
#[derive(Deserialize)]
pub(crate) struct Artifact {
    pub(crate) target: Target,
    pub(crate) profile: Profile,
    pub(crate) manifest_path: PathBuf,
    pub(crate) executable: Option<PathBuf>,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
    pub(crate) name: String,
    pub(crate) src_path: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Profile {
    /// Whether it is a test program. A binary that tests start is built without them.
    pub(crate) test: bool,
}

/// Builds the named test targets of a task and returns each under its name.
pub(crate) fn build(
    course: &Course,
    task: &Task,
    targets: &[&str],
    tier: Tier,
    guard: &Guard,
) -> Result<Result<BTreeMap<String, Suite>, Refused>, Error> {
    let mut arguments = vec!["--package", &task.name];
    for target in targets {
        arguments.extend(["--test", target]);
    }
    arguments.extend(tier.typed().split_whitespace());
    let _going_on = Ongoing::new(format!("building the tests of {}", task.name));
    let artifacts = match artifacts(&course.root, &arguments, guard)? {
        Ok(artifacts) => artifacts,
        Err(refused) => return Ok(Err(refused)),
    };
    let suites = of_task(course, task, targets, tier, &artifacts);
    match targets.iter().find(|target| !suites.contains_key(**target)) {
        Some(lost) => {
            Err(Error::new(format!("cargo built no test program `{lost}` for {}", task.name)))
        }
        None => Ok(Ok(suites)),
    }
}

/// The named test targets of a task among what was built.
pub(crate) fn of_task(
    course: &Course,
    task: &Task,
    targets: &[&str],
    tier: Tier,
    artifacts: &[Artifact],
) -> BTreeMap<String, Suite> {
    let suites = artifacts.iter().filter_map(|artifact| {
        let dir = artifact.manifest_path.parent()?;
        // A path with a symbolic link in it has two spellings.
        let ours = dir == task.dir || dir.canonicalize().ok()? == task.dir.canonicalize().ok()?;
        let name = artifact.target.name.clone();
        let wanted = ours && targets.contains(&name.as_str());
        let program = artifact.executable.clone().filter(|_| wanted)?;
        let (source, package) = (artifact.target.src_path.clone(), task.name.clone());
        let (compiled_in, dir) = (course.root.clone(), dir.to_owned());
        Some((name, Suite { program, source, compiled_in, dir, package, tier }))
    });
    suites.collect()
}

/// Builds what `cargo test` with these arguments would run. Cargo ends when this process is killed.
pub(crate) fn artifacts(
    root: &Path,
    arguments: &[&str],
    guard: &Guard,
) -> Result<Result<Vec<Artifact>, Refused>, Error> {
    let mut command = Command::new(process::cargo());
    command
        .current_dir(root)
        .args(["test", "--no-run", "--message-format=json-render-diagnostics"])
        .args(arguments)
        // The words of the compiler are shown as it would show them here.
        .env("CARGO_TERM_COLOR", if colour() { "always" } else { "never" })
        .env("CARGO_TERM_PROGRESS_WHEN", "never");
    let run = process::run(&mut command, BUILD_LIMIT, Some(guard))?;
    if !run.success() {
        let words: Vec<&str> = run.stderr.lines().filter(|line| !is_status(line)).collect();
        return Ok(Err(Refused(words.join("\n"))));
    }
    Ok(Ok(run.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()))
}

/// Runs a test command over the whole workspace in one run. Its output goes to our own output.
pub(crate) fn stream(course: &Course, arguments: &[&str], run: &str) -> Result<bool, Error> {
    let mut command = Command::new(process::cargo());
    command.current_dir(&course.root).args(arguments).env(tools::ID_VAR, run);
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
    /// Whether a file named in a panic is one of the tests': any below `tests/`, except the task's other
    /// suite. Only a failure there is a verdict of the tests.
    pub(crate) fn is_own(&self, file: &str) -> bool {
        let path = self.compiled_in.join(file);
        let is_own = |path: &Path, source: &Path| {
            let Some(tests) = source.parent() else { return false };
            let other = |suite: &str| path == tests.join(suite).with_extension("rs");
            path == source || path.starts_with(tests) && !SUITES.into_iter().any(other)
        };
        is_own(&path, &self.source)
            || matches!((path.canonicalize(), self.source.canonicalize()), (Ok(a), Ok(b)) if is_own(&a, &b))
    }

    /// The command that runs the tests again as they ran.
    pub(crate) fn again(&self, arguments: &[String]) -> String {
        let target = self.source.file_stem().unwrap_or_default().display();
        let (package, tier) = (&self.package, self.tier.typed());
        let arguments: Vec<String> = arguments.iter().map(say::quoted).collect();
        format!("cargo test -p {package}{tier} --test {target} -- {}", arguments.join(" "))
    }

    /// The file of a panic, as the user would type it.
    pub(crate) fn shown<'a>(&self, file: &'a str) -> std::path::Display<'a> {
        say::short(&self.compiled_in, Path::new(file))
    }
}
