//! `report`: what a run under nextest says about the tests' times.
//!
//! A report is no gate. The exit code is 0 whatever the tests did, and 2 if there is nothing to report.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use task25_report::{Report, Run, page, parse, text};
use testenv::Error;

use crate::kept::Kept;
use crate::quarantine;
use crate::say::{self, STRONG, paint, quoted};
use crate::tasks::Course;

/// What the exit codes of `cargo course report` mean.
pub(crate) const EXIT_CODES: &str = "\
The file comes from `cargo nextest run --profile ci`. Files of other runners are read as far as they go.

Exit codes:
  0  the report was made, whatever the tests did: a report is no gate
  2  there is no file that can be read
";

/// What `cargo course report` is asked for.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Reads the JUnit file of this profile of nextest
    #[arg(long, default_value = "ci")]
    profile: String,
    /// Reads this JUnit file
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    file: Option<PathBuf>,
    /// Keeps the run, so that later ones are compared with it
    #[arg(long)]
    keep: bool,
    /// Also writes the report as a page of HTML that needs no other file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Reads the file of a run and shows what it says.
pub(crate) fn report(course: &Course, options: &Options) -> Result<ExitCode, Error> {
    let junit = options.file.clone().unwrap_or_else(|| written_by(course, &options.profile));
    let run = read(&junit, options)?;
    let kept = Kept::of(&course.root, "reports.jsonl");
    if options.keep && !kept.add(&run, commit(&course.root))? {
        say::note("this run was kept before");
    }
    let earlier = kept.read()?;
    for line in earlier.unreadable {
        say::note(format_args!("{}, line {line}: not a run, left out", kept.path().display()));
    }

    let quarantine = quarantine::names_in(course, &run)?;
    let report = Report { run, kept: earlier.runs, quarantine };
    for line in text(&report).lines() {
        let is_title = !line.starts_with(' ');
        say::out(if is_title { paint(STRONG, line) } else { line.to_owned() });
    }
    if let Some(html) = &options.html {
        std::fs::write(html, page(&report)).map_err(|e| {
            Error::new(format!("the page cannot be written: {}", html.display()))
                .cause(e)
                .fix("cargo course report --html <a file in a folder that exists>")
        })?;
        say::note(format_args!("\nwrote {}", html.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where nextest writes, by `.config/nextest.toml`.
pub(crate) fn written_by(course: &Course, profile: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    course.root.join(target).join("nextest").join(profile).join("junit.xml")
}

fn read(junit: &Path, options: &Options) -> Result<Run, Error> {
    let cure = match &options.file {
        Some(_) => "cargo course report --file <a JUnit file>".to_owned(),
        None => format!("cargo nextest run --workspace --profile {}", quoted(&options.profile)),
    };
    read_file(junit).map_err(|error| error.fix(cure))
}

/// Reads a JUnit file.
pub(crate) fn read_file(junit: &Path) -> Result<Run, Error> {
    let unread = |cause: &dyn std::fmt::Display| {
        Error::new(format!("no report: {} cannot be read", junit.display())).cause(cause)
    };
    let xml = std::fs::read_to_string(junit).map_err(|cause| unread(&cause))?;
    parse(&xml).map_err(|cause| unread(&cause))
}

/// The commit in the folder, if it is a git repository.
fn commit(root: &Path) -> Option<String> {
    let mut git = Command::new("git");
    let said = git.args(["rev-parse", "--short", "HEAD"]).current_dir(root).output().ok()?;
    let commit = String::from_utf8(said.stdout).ok().filter(|_| said.status.success())?;
    Some(commit.trim().to_owned())
}
