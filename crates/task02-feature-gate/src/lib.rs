#![doc = "[before]: ../task01_health/index.html\n[next]: ../task03_postgres/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use tempfile::TempDir;
use testenv::Error;

mod specimen;

/// A small suite of tests, compiled as Cargo compiles a suite. Drop removes its files.
///
/// The suite holds a plain test, `a_503_is_not_healthy`, and a gated test. The gated test asks a
/// running service for its health.
#[derive(Debug)]
#[must_use]
pub struct Suite {
    program: PathBuf,
    _files: TempDir,
}

/// The result of a run of a [`Suite`]: the number of tests per kind of end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Tests that ran to their end.
    pub passed: usize,
    /// Tests that panicked or returned an error.
    pub failed: usize,
    /// Tests that are part of the suite and did not run.
    pub ignored: usize,
}

impl Suite {
    /// Compiles the suite with exactly these features.
    ///
    /// # Panics
    ///
    /// If there is no compiler, or the suite does not compile. The message says what to type.
    pub fn build(features: &[&str]) -> Suite {
        compile(features).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the names of the tests that are compiled in, including ignored tests.
    ///
    /// # Panics
    ///
    /// If the compiled suite cannot be started.
    pub fn listed(&self) -> Vec<String> {
        let output = start(Command::new(&self.program).args(["--list", "--format", "terse"]));
        stdout(&output)
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(str::to_owned)
            .collect()
    }

    /// Runs the suite. The gated test, if it is compiled in, asks the service at `service`.
    ///
    /// The run ends by itself: the gated test gives up on a silent service after two seconds.
    ///
    /// # Panics
    ///
    /// If the compiled suite cannot be started, or ends without a result line.
    pub async fn run(&self, service: SocketAddr) -> Outcome {
        let mut program = Command::new(&self.program);
        program.env("SERVICE_ADDR", service.to_string());
        // The service may live on this very thread: it has to go on answering while the suite runs.
        let output = tokio::task::spawn_blocking(move || start(&mut program));
        let output = output.await.expect("the runtime outlives the test that waits here");
        Outcome::read(&stdout(&output))
            .unwrap_or_else(|| panic!("the suite ended without a result: {output:?}"))
    }
}

impl Outcome {
    /// Reads libtest's last line: `test result: ok. 1 passed; 0 failed; 0 ignored; …`.
    fn read(text: &str) -> Option<Outcome> {
        let result = text.lines().find_map(|line| line.strip_prefix("test result: "))?;
        let (_verdict, counts) = result.split_once(". ")?;
        let count = |word: &str| {
            counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim_end().parse().ok())
        };
        Some(Outcome {
            passed: count("passed")?,
            failed: count("failed")?,
            ignored: count("ignored")?,
        })
    }
}

fn compile(features: &[&str]) -> Result<Suite, Error> {
    let files = tempfile::tempdir().map_err(|cause| {
        Error::new("no temporary directory for the suite")
            .cause(cause)
            .fix("TMPDIR=<a directory you can write to> cargo test")
    })?;
    write(files.path(), "client.rs", specimen::CLIENT)?;
    write(files.path(), "suite.rs", specimen::suite())?;
    let program = files.path().join(format!("suite{}", env::consts::EXE_SUFFIX));

    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = Command::new(&compiler);
    rustc.args([
        "--edition",
        "2024",
        "--test",
        "--check-cfg",
        r#"cfg(feature, values("integration"))"#,
    ]);
    for feature in features {
        rustc.arg("--cfg").arg(format!(r#"feature="{feature}""#));
    }
    rustc.arg(files.path().join("suite.rs")).arg("-o").arg(&program);

    let tried = format!("{rustc:?}");
    let failed =
        || Error::new("the suite was not compiled").tried(&tried).fix("rustup default stable");
    let output = rustc.output().map_err(|cause| failed().cause(cause))?;
    if !output.status.success() {
        return Err(failed().cause(String::from_utf8_lossy(&output.stderr)));
    }
    Ok(Suite { program, _files: files })
}

fn write(dir: &Path, name: &str, text: &str) -> Result<(), Error> {
    fs::write(dir.join(name), text).map_err(|cause| {
        Error::new(format!("{name} of the suite was not written"))
            .cause(cause)
            .fix("TMPDIR=<a directory with room> cargo test")
    })
}

fn start(program: &mut Command) -> Output {
    program.output().unwrap_or_else(|cause| {
        let error = Error::new("the compiled suite does not start")
            .tried(format!("{program:?}"))
            .cause(cause);
        panic!("{}", error.fix("TMPDIR=<a directory that programs may run in> cargo test"))
    })
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
