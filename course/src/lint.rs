//! `dev lint`: one list of all checks that every line must pass. `just lint` and both CIs run it.

use std::process::{Command, ExitCode};
use std::time::Instant;

use testenv::Error;
use testenv::tools::{CargoProgram, SERVICES, Setup, Tool, process::cargo};

use crate::say::{self, BAD, GOOD, STRONG, paint};
use crate::tasks::Course;
use crate::workflows;

/// The name of a lint, and cargo's arguments for it.
type Lint = (&'static str, &'static str);

/// Features of the harness, as people combine them; in a workspace all are on. Those of each service are added.
const CHOSEN: &[&str] =
    &["", "every-service,integration,tls", "fetch", "integration", "leaks", "tools"];

const LINTS: &[Lint] = &[
    ("format", "fmt --all --check"),
    ("clippy, plain tier", "clippy --quiet --workspace --all-targets -- -D warnings"),
    (
        "clippy, integration tier",
        "clippy --quiet --workspace --all-targets --features integration -- -D warnings",
    ),
    (
        "clippy, browser and flaky",
        "clippy --quiet -p task23-quarantine -p task25-report --all-targets --features task23-quarantine/flaky,task25-report/browser -- -D warnings",
    ),
    ("the report in a browser", "test --quiet -p task25-report --features browser --test browser"),
    ("docs, no feature", "doc --quiet -p shared --no-deps"),
    ("docs", "doc --quiet --workspace --no-deps --features integration"),
    ("licences, bans, sources", "deny check bans licenses sources"),
];

const DENY: CargoProgram = CargoProgram {
    name: "cargo-deny",
    install: "--locked cargo-deny@0.20.2",
    purpose: "to check licences, bans and sources",
    takes: "about a minute",
    cure: "dev lint --install",
};

/// With what the page of the report is looked at. One is enough.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const CHROMIUM: Tool = ("chromium", &["chromium"]);

/// The lints in their order.
fn lints() -> impl Iterator<Item = (String, String)> {
    let tiers = |name: &str| [name.to_owned(), format!("{name},integration")];
    let services = SERVICES.iter().flat_map(move |service| tiers(service.name));
    let chosen = CHOSEN.iter().map(|&features| features.to_owned()).chain(services);
    let clippy = chosen.map(|features| {
        let arguments = format!("clippy --quiet -p shared --features={features} -- -D warnings");
        let name = if features.is_empty() { "no feature" } else { &features };
        (format!("clippy, {name}"), arguments)
    });
    LINTS.iter().map(|&(name, arguments)| (name.to_owned(), arguments.to_owned())).chain(clippy)
}

/// The name, the command, and the command as text.
fn of_cargo(course: &Course, (name, arguments): (String, String)) -> (String, Command, String) {
    let mut lint = Command::new(cargo());
    lint.args(arguments.split(' ')).current_dir(&course.root);
    let mut line = format!("cargo {arguments}");
    if arguments.starts_with("doc ") {
        lint.env("RUSTDOCFLAGS", "-Dwarnings");
        line.insert_str(0, "RUSTDOCFLAGS=-Dwarnings ");
    }
    (name, lint, line)
}

/// Runs all lints, also when one fails. The exit code is 0 when all pass.
pub(crate) fn lint(course: &Course, install: bool) -> Result<ExitCode, Error> {
    let mut setup = Setup::new(install);
    setup.cargo_program(&DENY)?;
    workflows::provide(course, &mut setup)?;
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    if !BROWSERS.iter().any(runs) {
        setup.tools(&[CHROMIUM], false, "to look at the page of a report")?;
    }
    if setup.lacks_something() {
        return Ok(setup.finish());
    }
    let mut failed = Vec::new();
    for (name, mut lint, line) in
        lints().map(|lint| of_cargo(course, lint)).chain(workflows::lints(course))
    {
        let start = Instant::now();
        say::note(format_args!("{}", paint(STRONG, &line)));
        let status =
            lint.status().map_err(|e| Error::new(format!("cannot run `{line}`")).cause(e))?;
        let how = if status.success() { paint(GOOD, "passed") } else { paint(BAD, "failed") };
        say::out(format_args!("{name}: {how} ({} s)", start.elapsed().as_secs()));
        if !status.success() {
            failed.push(line);
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    // What they said is far above.
    for line in failed {
        say::out(format_args!("{} {line}", paint(BAD, "failed:")));
    }
    Ok(ExitCode::FAILURE)
}
