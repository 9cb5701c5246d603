//! One long step of the set-up. It shows that it is still running, and shows its output only when
//! it fails.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::process::{cannot_start, no_scratch};
use super::say::{self, Ongoing, tail};
use crate::{Error, Heading};

/// Runs a command. If it fails or reaches its limit, its output is returned as the inner error.
///
/// It stays in our process group, unlike a graded test: a package manager must get Ctrl-C, and not
/// SIGKILL.
pub(crate) fn step(
    label: &str,
    command: &mut Command,
    limit: Duration,
) -> Result<Result<(), String>, Error> {
    say::note(label);
    let _going_on = Ongoing::announced(format!("still running: {label}"));
    let mut log = tempfile::tempfile().map_err(no_scratch)?;
    let copy = |log: &File| log.try_clone().map(Stdio::from).map_err(no_scratch);
    command.stdin(Stdio::null()).stdout(copy(&log)?).stderr(copy(&log)?);
    let program = command.get_program().display().to_string();
    let mut child = command.spawn().map_err(|cause| cannot_start(&program, cause))?;
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a process id is an i32"));

    let (tell, ended) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait()).ok());
    let how = match ended.recv_timeout(limit) {
        Ok(Ok(status)) if status.success() => return Ok(Ok(())),
        Ok(Ok(status)) => format!("{program}: {status}"),
        Ok(Err(e)) => {
            return Err(
                Error::under(Heading::Machine, format!("cannot wait for {program}")).cause(e)
            );
        }
        Err(_) => {
            nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).ok();
            format!("{program} was not done after {} s", limit.as_secs())
        }
    };
    let mut bytes = Vec::new();
    log.rewind().and_then(|()| log.read_to_end(&mut bytes)).map_err(no_scratch)?;
    Ok(Err(format!("{how}\n{}", tail(&String::from_utf8_lossy(&bytes), 30))))
}
