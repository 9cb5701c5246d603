//! `reuse`: the servers that `TESTENV_REUSE=1` keeps between runs, listed and stopped.

use std::process::{Command, ExitCode};
use std::time::Duration;

use testenv::Error;
use testenv::provider::{REUSE_LABEL, REUSE_VAR};
use testenv::reuse::{OWNER_LABEL, claim, owner};

use crate::{process, say};

/// Asking takes 30 ms, removing a container a second.
const LIMIT: Duration = Duration::from_secs(20);

/// Prints the kept servers, a line each.
pub(crate) fn list() -> Result<ExitCode, Error> {
    let kept = kept()?;
    for server in &kept {
        let whose = if server.is_ours { "" } else { "  (another user's, or another machine's)" };
        say::out(format_args!("{}  {}  {}{whose}", server.name, server.image, server.status));
    }
    if kept.is_empty() {
        say::out(format_args!("no server is kept; export {REUSE_VAR}=1 keeps one"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes the kept servers of this user on this machine, with what is on them; not one that a live run uses, nor one of others with the same engine. The exit
/// code is 1 if one of this user's stays.
pub(crate) fn stop() -> Result<ExitCode, Error> {
    let kept = kept()?;
    let mut code = ExitCode::SUCCESS;
    for server in &kept {
        if !server.is_ours {
            let whose = "another user, another machine or another cache started it";
            say::out(format_args!("{} is left alone: {whose}", server.name));
            continue;
        }
        match claim(&server.name)? {
            Ok(claim) => {
                docker(&["rm", "--force", "--volumes", &server.id])?;
                claim.forget();
                say::out(format_args!("{} is stopped", server.name));
            }
            Err(why) => {
                say::out(format_args!("{} is left alone: {why}", server.name));
                code = ExitCode::FAILURE;
            }
        }
    }
    if kept.is_empty() {
        say::out("nothing to do: no server is kept");
    }
    Ok(code)
}

struct Kept {
    id: String,
    name: String,
    image: String,
    status: String,
    is_ours: bool,
}

fn kept() -> Result<Vec<Kept>, Error> {
    let ours = labelled(&format!("label={OWNER_LABEL}={}", owner()?))?;
    let all = labelled(&format!("label={REUSE_LABEL}"))?;
    let servers = all
        .into_iter()
        .map(|server| Kept { is_ours: ours.iter().any(|own| own.id == server.id), ..server });
    Ok(servers.collect())
}

fn labelled(label: &str) -> Result<Vec<Kept>, Error> {
    let format = "{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.Status}}";
    let text = docker(&["ps", "--all", "--filter", label, "--format", format])?;
    let lines = text.lines().filter_map(|line| {
        let [id, name, image, status] = line.split('\t').collect::<Vec<_>>()[..] else {
            return None;
        };
        let [id, name, image, status] = [id, name, image, status].map(str::to_owned);
        Some(Kept { id, name, image, status, is_ours: false })
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
