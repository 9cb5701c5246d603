//! A server as a process of this machine, on a port of 127.0.0.1.

use std::net::TcpListener;

use nix::unistd::{Gid, Uid, User};

use super::served::{Process, Secrets, Served, address};
use crate::address::Address;
use crate::run::Run;
use crate::{Error, Heading, cure, wait};

/// Somebody may take the port between the search for a free port and the start.
const TRIES: usize = 5;

/// How many lines of a server's log an error shows.
const LAST_WORDS: usize = 5;

/// Starts the server. Returns its address when it answers.
pub(super) async fn start<S: Served>(
    run: &'static Run,
    process: &Process,
    secrets: &Secrets,
) -> Result<Address, Error> {
    let name = S::SERVICE.name;
    for _ in 0..TRIES {
        if let Some(address) = try_start::<S>(run, process, secrets).await? {
            return Ok(address);
        }
    }
    Err(Error::under(
        Heading::Start,
        format!("the {name} server lost the race for its port {TRIES} times"),
    )
    .cause(last_words(run, name))
    .fix(cure::command("doctor")))
}

/// Like [`start`], once. `None` if the port was taken meanwhile.
async fn try_start<S: Served>(
    run: &'static Run,
    process: &Process,
    secrets: &Secrets,
) -> Result<Option<Address>, Error> {
    let name = S::SERVICE.name;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free
        .map_err(|cause| Error::under(Heading::Machine, "no free port on 127.0.0.1").cause(cause))?
        .port();
    let arguments = (process.arguments)(port)?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = run.start_native_as(name, &process.program, &arguments, process.user)?;
    // With the password that only this server knows: who else answers there is not ours.
    let address = address::<S>(&secrets.lasting, &format!("127.0.0.1:{port}"))?;
    let what = format!("an answer of the {name} server");
    let answered = wait::until(S::START_LIMIT, &what, async || {
        if let Ok(Some(status)) = child.try_wait() {
            return Ok(Some(status));
        }
        if last_words(run, name).contains(process.port_taken) {
            // A server that does not end by itself.
            return Ok(Some(child.kill().and_then(|()| child.wait()).unwrap_or_default()));
        }
        S::answers(&address).await.map(|()| None)
    });
    match answered.await? {
        None => Ok(Some(address)),
        Some(_) if last_words(run, name).contains(process.port_taken) => Ok(None),
        Some(status) => {
            Err(Error::under(Heading::Start, format!("the {name} server ended: {status}"))
                .cause(last_words(run, name))
                .fix(cure::command("doctor")))
        }
    }
}

/// Whom a server runs as that refuses to run as root: as the `user` that its package made, or as nobody.
pub(crate) fn unprivileged(user: &str) -> Option<(Uid, Gid)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let user = [user, "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
    Some(user.map_or((Uid::from_raw(65534), Gid::from_raw(65534)), |user| (user.uid, user.gid)))
}

fn last_words(run: &Run, service: &str) -> String {
    let log = std::fs::read_to_string(run.dir().join(format!("{service}.log")));
    let log = log.unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
}
