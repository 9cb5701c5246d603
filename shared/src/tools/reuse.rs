//! `reuse`: lists and stops the servers that `TESTENV_REUSE=1` keeps between runs.

use std::process::{Command, ExitCode};
use std::time::Duration;

use self::claim::{claim, is_used};
use super::{process, say};
use crate::cure::command;
use crate::reuse::{OWNER_LABEL, REUSE_LABEL, REUSE_VAR, owner};
use crate::{Error, Heading};

mod claim;

/// A question takes 30 ms. Removing a container takes a second.
const LIMIT: Duration = Duration::from_secs(20);

/// The label with the service. `docker` has it too, but that module is not in every build.
const SERVICE_LABEL: &str = "testenv.service";

/// Prints the kept servers, one line each: name, service, image, age, state, and who uses it.
///
/// # Errors
///
/// When Docker does not answer, or the cache cannot be read.
pub fn list() -> Result<ExitCode, Error> {
    let kept = kept()?;
    for server in &kept {
        let use_ = match server.is_ours {
            false => "another user's, or another machine's",
            true if is_used(&server.name)? => "in use",
            true => "not in use",
        };
        say::out(format_args!(
            "{}  {}  {}  created {}  {}  ({use_})",
            server.name, server.service, server.image, server.created, server.status
        ));
    }
    if kept.is_empty() {
        say::out(format_args!("no server is kept; export {REUSE_VAR}=1 keeps one"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes the kept servers of this user on this machine, with everything on them. It leaves
/// servers that a live run uses, and servers of others with the same engine. The exit code is 1 if
/// a server of this user stays.
///
/// # Errors
///
/// As [`list`].
pub fn stop() -> Result<ExitCode, Error> {
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
    service: String,
    image: String,
    created: String,
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
    let format = format!(
        "{{{{.ID}}}}\t{{{{.Names}}}}\t{{{{.Label \"{SERVICE_LABEL}\"}}}}\t{{{{.Image}}}}\t{{{{.RunningFor}}}}\t{{{{.Status}}}}"
    );
    let text = docker(&["ps", "--all", "--filter", label, "--format", &format])?;
    let lines = text.lines().filter_map(|line| {
        let [id, name, service, image, created, status] = line.split('\t').collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let [id, name, service, image, created, status] =
            [id, name, service, image, created, status].map(str::to_owned);
        Some(Kept { id, name, service, image, created, status, is_ours: false })
    });
    Ok(lines.collect())
}

fn docker(arguments: &[&str]) -> Result<String, Error> {
    let failed = |cause: String| {
        let error = Error::under(Heading::Kept, "the kept servers cannot be listed").cause(cause);
        error.fix(command("doctor"))
    };
    let mut docker = Command::new("docker");
    let run = process::run(docker.args(arguments), LIMIT, None)
        .map_err(|error| failed(error.to_string()))?;
    if run.success() { Ok(run.stdout) } else { Err(failed(run.stderr.trim().to_owned())) }
}
