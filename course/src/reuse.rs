//! `reuse`: the servers that `TESTENV_REUSE=1` keeps between runs, listed and stopped.

use std::process::{Command, ExitCode};
use std::time::Duration;

use testenv::Error;
use testenv::provider::{REUSE_LABEL, REUSE_VAR};

use crate::{process, say};

/// Asking takes 30 ms, removing a container a second.
const LIMIT: Duration = Duration::from_secs(20);

/// Prints the kept servers, a line each.
pub(crate) fn list() -> Result<ExitCode, Error> {
    let kept = kept()?;
    for server in &kept {
        say::out(format_args!("{}  {}  {}", server.name, server.image, server.status));
    }
    if kept.is_empty() {
        say::out(format_args!("no server is kept; export {REUSE_VAR}=1 keeps one"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes the kept servers of this machine's engine, with what is on them.
pub(crate) fn stop() -> Result<ExitCode, Error> {
    let kept = kept()?;
    for server in &kept {
        docker(&["rm", "--force", "--volumes", &server.id])?;
        say::out(format_args!("{} is stopped", server.name));
    }
    if kept.is_empty() {
        say::out("nothing to do: no server is kept");
    }
    Ok(ExitCode::SUCCESS)
}

struct Kept {
    id: String,
    name: String,
    image: String,
    status: String,
}

fn kept() -> Result<Vec<Kept>, Error> {
    let format = "{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.Status}}";
    let label = format!("label={REUSE_LABEL}");
    let text = docker(&["ps", "--all", "--filter", &label, "--format", format])?;
    let lines = text.lines().filter_map(|line| {
        let [id, name, image, status] = line.split('\t').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Kept { id: id.into(), name: name.into(), image: image.into(), status: status.into() })
    });
    Ok(lines.collect())
}

fn docker(arguments: &[&str]) -> Result<String, Error> {
    let failed = |cause: String| {
        let error = Error::new("the kept servers cannot be asked for").cause(cause);
        error.fix("cargo course doctor")
    };
    let mut command = Command::new("docker");
    let run = process::run(command.args(arguments), LIMIT, None)
        .map_err(|error| failed(error.to_string()))?;
    if run.success() { Ok(run.stdout) } else { Err(failed(run.stderr.trim().to_owned())) }
}
