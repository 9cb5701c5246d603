//! `dev costs`: what each feature of the harness costs to build, beside what a project would build
//! without it: testcontainers and the same client, of the same versions.
//!
//! The measure is processor time, which other work on the machine changes little.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use testenv::Error;

use crate::process::{self, Guard, cargo};
use crate::say::{self, Ongoing, STRONG, paint};
use crate::tasks::Course;

/// A build takes minutes of processor time. What takes an hour hangs.
const LIMIT: Duration = Duration::from_hours(1);

/// What a project has without the harness, beside the clients: for each feature with real servers.
const SERVERS: &[&str] = &["testcontainers-modules", "tokio"];

/// Features, and the clients that a project would have in their place.
struct Cost {
    features: &'static str,
    clients: &'static [&'static str],
}

const COSTS: &[Cost] = &[
    Cost { features: "seed", clients: &["rand", "sha2"] },
    Cost { features: "proptest", clients: &["proptest", "rand", "sha2"] },
    Cost { features: "postgres,integration", clients: &["sqlx"] },
    Cost { features: "postgres,integration,macros", clients: &["sqlx"] },
    Cost { features: "postgres,integration,tls", clients: &["sqlx"] },
    Cost { features: "redis,integration", clients: &["redis"] },
    Cost { features: "kafka,integration", clients: &["rdkafka"] },
    Cost { features: "s3,integration", clients: &["aws-sdk-s3", "aws-smithy-http-client"] },
    Cost { features: "toxiproxy,integration", clients: &["reqwest"] },
];

/// The options of `dev costs`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Features, with commas between them; all that are measured if none is named
    #[arg(value_name = "FEATURES", value_parser = COSTS.iter().map(|cost| cost.features).collect::<Vec<_>>())]
    features: Vec<String>,
}

/// Builds each feature from nothing, and the same by hand, and prints the processor time of both.
pub(crate) fn costs(course: &Course, options: &Options) -> Result<ExitCode, Error> {
    let wanted = |cost: &&Cost| {
        options.features.is_empty() || options.features.iter().any(|it| it == cost.features)
    };
    for cost in COSTS.iter().filter(wanted) {
        let features: Vec<&str> = cost.features.split(',').collect();
        let path = course.root.join("shared");
        let harness = format!("shared = {{ path = {path:?}, features = {features:?} }}\n");
        let servers = if features.contains(&"integration") { SERVERS } else { &[] };
        let by_hand = [cost.clients, servers].concat();

        let ours = built(course, cost.features, &harness)?;
        let theirs =
            built(course, &format!("{} by hand", cost.features), &dependencies(course, &by_hand)?)?;

        let (ours, theirs) = (ours.as_secs_f64(), theirs.as_secs_f64());
        say::out(format_args!(
            "{}: {ours:.0} s of processor time, {} {theirs:.0} s, ratio {:.2}",
            paint(STRONG, cost.features),
            by_hand.join(", "),
            ours / theirs
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The lines of the workspace's manifest for these packages.
fn dependencies(course: &Course, names: &[&str]) -> Result<String, Error> {
    let path = course.root.join("Cargo.toml");
    let manifest = crate::tasks::text(&path)?;
    let line = |name: &&str| {
        let is_it =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(" = "));
        manifest.lines().find(is_it).map(|line| format!("{line}\n")).ok_or_else(|| {
            Error::new(format!("cannot read {}", path.display())).cause(format!("no {name} in it"))
        })
    };
    names.iter().map(line).collect()
}

/// Builds a package with these dependencies from nothing. Returns the processor time.
fn built(course: &Course, what: &str, dependencies: &str) -> Result<Duration, Error> {
    let scratch = tempfile::tempdir().map_err(process::no_scratch)?;
    let guard = Guard::new(scratch.path())?;
    let write = |name: &str, text: &str| {
        std::fs::write(scratch.path().join(name), text).map_err(process::no_scratch)
    };
    let package = "[package]\nname = \"costs\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\n[workspace]\n\n";
    write("Cargo.toml", &format!("{package}[dependencies]\n{dependencies}"))?;
    write("lib.rs", "")?;
    // The same versions in both.
    write("Cargo.lock", &crate::tasks::text(&course.root.join("Cargo.lock"))?)?;
    // What is fetched is not built.
    cargo_in(scratch.path(), &["fetch", "--quiet"], &guard)?;
    let going_on = Ongoing::announced(format!("building {what}"));
    let before = used();
    cargo_in(scratch.path(), &["build", "--quiet"], &guard)?;
    drop(going_on);
    Ok(used() - before)
}

fn cargo_in(dir: &Path, words: &[&str], guard: &Guard) -> Result<(), Error> {
    let mut command = Command::new(cargo());
    command.args(words).current_dir(dir);
    // What the caller has set for its own builds, and a directory with built packages.
    command.env("CARGO_TARGET_DIR", dir.join("target")).env("CARGO_INCREMENTAL", "0");
    for of_caller in ["RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_ENCODED_RUSTFLAGS"] {
        command.env_remove(of_caller);
    }
    let run = process::run(&mut command, LIMIT, Some(guard))?;
    if run.success() {
        return Ok(());
    }
    Err(Error::new(format!("cargo {} failed", words[0])).cause(say::tail(&run.stderr, 30)))
}

/// The processor time of the processes that this one has waited for.
fn used() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system knows its children");
    let all = usage.user_time() + usage.system_time();
    Duration::from_micros(all.num_microseconds().cast_unsigned())
}
