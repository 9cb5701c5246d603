//! The tools of a reader: the compiler, rustdoc, a test program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use testenv::Error;

use crate::Outcome;

/// The harness on which a first test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harness {
    /// The harness without a fault.
    Sound,
    /// Broken on purpose: it gives the same folder to every test.
    Broken,
}

/// How a first test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstTest {
    /// The compiler refused the test with this message.
    Refused(String),
    /// The test ran.
    Ran {
        /// Tests that passed.
        passed: usize,
        /// Tests that failed.
        failed: usize,
    },
}

/// Returns rustdoc's warnings about the manual under these flags.
pub(crate) fn warnings(dir: &Path, flags: &[&str]) -> Result<Vec<String>, Error> {
    let mut rustdoc = rustdoc(dir);
    rustdoc.args(["--error-format", "short", "--out-dir", "doc"]).args(flags);
    let output = run(&mut rustdoc)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut found = said.lines().filter(|line| line.contains(": warning: ") || is_error(line));
    if !output.status.success() && !found.clone().any(|line| line.contains(".rs:")) {
        return Err(refused("rustdoc did not read the manual", &rustdoc, &output));
    }
    Ok(found.by_ref().map(str::to_owned).collect())
}

/// Returns the outcome of each example, by the file and line of its fence.
pub(crate) fn outcomes(dir: &Path) -> Result<BTreeMap<String, Outcome>, Error> {
    compile(dir, Harness::Sound)?;
    let mut rustdoc = rustdoc(dir);
    rustdoc.args(["--test", "--extern", "scratch", "-L", folder(Harness::Sound)]);
    let output = run(&mut rustdoc)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !said.contains("test result: ") {
        return Err(refused("rustdoc did not run the examples", &rustdoc, &output));
    }
    Ok(said.lines().filter_map(outcome).collect())
}

/// Compiles and runs a crate of tests that has the harness and nothing else.
pub(crate) fn first_test(dir: &Path, code: &str, on: Harness) -> Result<FirstTest, Error> {
    compile(dir, on)?;
    let stranger = tempfile::tempdir_in(dir).map_err(|cause| unwritten(&cause))?;
    let source = stranger.path().join("first.rs");
    fs::write(&source, code).map_err(|cause| unwritten(&cause))?;

    let program = stranger.path().join("first");
    let mut rustc = compiler(dir);
    rustc.args(["--test", "--cap-lints", "allow", "--extern", "scratch", "-L", folder(on)]);
    let output = run(rustc.arg(&source).arg("-o").arg(&program))?;
    if !output.status.success() {
        return Ok(FirstTest::Refused(String::from_utf8_lossy(&output.stderr).into_owned()));
    }

    let mut tests = Command::new(&program);
    let output = run(tests.current_dir(stranger.path()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let (passed, failed) = (count(&said, "passed"), count(&said, "failed"));
    match passed.zip(failed) {
        Some((passed, failed)) => Ok(FirstTest::Ran { passed, failed }),
        None => Err(refused("the first test ended without a result", &tests, &output)),
    }
}

/// Compiles the harness on first use, so that a check that only reads the manual does not wait.
fn compile(dir: &Path, harness: Harness) -> Result<(), Error> {
    if dir.join(folder(harness)).exists() {
        return Ok(());
    }
    let mut rustc = compiler(dir);
    rustc.args(["--crate-type", "lib", "--cap-lints", "allow", "--out-dir", folder(harness)]);
    if harness == Harness::Broken {
        rustc.args(["--cfg", "broken"]);
    }
    let output = run(rustc.arg("scratch.rs"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(refused("the harness was not compiled", &rustc, &output)),
    }
}

/// Parses a line such as `test scratch.rs - Dir::write (line 78) - compile ... ok`.
fn outcome(line: &str) -> Option<(String, Outcome)> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let (file, rest) = name.split_once(" - ")?;
    let (_, rest) = rest.split_once("(line ")?;
    let (line, how) = rest.split_once(')')?;
    let outcome = match (verdict, how) {
        ("ok", " - compile") => Outcome::Compiled,
        ("ok", _) => Outcome::Ran,
        ("ignored", _) => Outcome::Ignored,
        _ => Outcome::Failed,
    };
    Some((format!("{file}:{line}"), outcome))
}

/// Returns the number before `word` in libtest's line `test result: ok. 1 passed; 0 failed; …`.
fn count(said: &str, word: &str) -> Option<usize> {
    let result = said.lines().find_map(|line| line.strip_prefix("test result: "))?;
    let (_verdict, counts) = result.split_once(". ")?;
    counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim_end().parse().ok())
}

fn is_error(line: &str) -> bool {
    line.contains(": error: ") || line.contains(": error[")
}

fn folder(harness: Harness) -> &'static str {
    match harness {
        Harness::Sound => "sound",
        Harness::Broken => "broken",
    }
}

fn compiler(dir: &Path) -> Command {
    tool(dir, "RUSTC", "rustc")
}

fn rustdoc(dir: &Path) -> Command {
    let mut rustdoc = tool(dir, "RUSTDOC", "rustdoc");
    rustdoc.args(["--crate-name", "scratch", "scratch.rs"]);
    rustdoc
}

fn tool(dir: &Path, var: &str, name: &str) -> Command {
    let mut tool = Command::new(std::env::var_os(var).unwrap_or_else(|| name.into()));
    // Colours are noise in a log. Only cargo reads RUSTDOCFLAGS; the tool itself does not.
    tool.current_dir(dir).args(["--edition", "2024", "--color", "never"]);
    tool
}

fn run(command: &mut Command) -> Result<Output, Error> {
    command.output().map_err(|cause| {
        Error::new("a tool does not start")
            .tried(format!("{command:?}"))
            .cause(cause)
            .fix("rustup default stable")
    })
}

fn refused(what: &str, command: &Command, output: &Output) -> Error {
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    Error::new(what).tried(format!("{command:?}")).cause(said.trim())
}

fn unwritten(cause: &std::io::Error) -> Error {
    Error::new("the first test was not written")
        .cause(cause)
        .fix("TMPDIR=<a directory with room> cargo test")
}
