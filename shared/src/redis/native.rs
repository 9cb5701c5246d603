//! Redis as a process of this machine, in the run's own directory.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use redis::Client;

use super::server::{SIGN_LIMIT, settings_of};
use crate::provider::REDIS;
use crate::run::Run;
use crate::{Error, secret, wait};

/// Somebody may take the port between the look and the start.
const TRIES: usize = 5;

/// Starts a server; returns its URL.
pub(super) async fn start(
    run: &'static Run,
    program: &Path,
    databases: u32,
    password: &str,
    limit: Duration,
) -> Result<String, Error> {
    for _ in 0..TRIES {
        if let Some(url) = serve(run, program, databases, password, limit).await? {
            return Ok(url);
        }
    }
    let lost = Error::new(format!("redis-server lost the race for its port {TRIES} times"));
    Err(lost.cause(last_words(run)).fix(crate::cure::command("doctor")))
}

/// The URL of the server, or nothing when its port was taken meanwhile.
async fn serve(
    run: &'static Run,
    program: &Path,
    databases: u32,
    password: &str,
    limit: Duration,
) -> Result<Option<String>, Error> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.map_err(|cause| Error::new("no free port on 127.0.0.1").cause(cause))?.port();
    let file = run.dir().join("redis.conf");
    let settings = settings(run.dir(), port) + &settings_of(databases, password);
    let written = secret::write(&file, &settings);
    written.map_err(|cause| {
        Error::new(format!("cannot write {}", file.display()))
            .cause(cause)
            .fix(format!("export {}=<a directory of yours with space left>", crate::run::DIR_VAR))
    })?;

    let mut child = run.start_native(REDIS.name, program, &[&file.to_string_lossy()])?;
    let url = format!("redis://:{password}@127.0.0.1:{port}");
    let answered = wait::until(limit, "an answer of redis-server", async || {
        if let Ok(Some(status)) = child.try_wait() {
            return Ok(Err(status));
        }
        // With the password that only this server knows: who else answers there is not ours.
        let client = Client::open(url.as_str())?;
        client.get_connection_with_timeout(SIGN_LIMIT).map(|_| Ok(()))
    });
    match answered.await? {
        Ok(()) => Ok(Some(url)),
        Err(_) if last_words(run).contains("Address already in use") => Ok(None),
        Err(status) => Err(Error::new(format!("redis-server ended: {status}"))
            .cause(last_words(run))
            .fix(crate::cure::command("doctor"))),
    }
}

/// Those of a process.
fn settings(dir: &Path, port: u16) -> String {
    let dir = dir.to_string_lossy().replace('\\', r"\\").replace('"', "\\\"");
    format!("bind 127.0.0.1\nport {port}\ndir \"{dir}\"\ndaemonize no\n")
}

fn last_words(run: &Run) -> String {
    let log = std::fs::read_to_string(run.dir().join("redis.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
