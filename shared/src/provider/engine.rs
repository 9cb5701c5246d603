//! The Docker engine: where it is, and whether it answers.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reach::{authority, connect, within};
use super::set;

/// The engine's address as testcontainers resolves it: `DOCKER_HOST`, else the first socket that is there.
pub fn docker_host() -> String {
    if let Some(host) = set("DOCKER_HOST") {
        return host;
    }
    let default = PathBuf::from("/var/run/docker.sock");
    let home = |below: &str| env::home_dir().map(|home| home.join(below));
    let runtime = set("XDG_RUNTIME_DIR").map(|dir| Path::new(&dir).join(".docker/run/docker.sock"));
    let sockets = [
        Some(default.clone()),
        runtime,
        home(".docker/run/docker.sock"),
        home(".docker/desktop/docker.sock"),
    ];
    let there = sockets.into_iter().flatten().find(|path| path.exists()).unwrap_or(default);
    format!("unix://{}", there.display())
}

/// Whether the engine is this machine's: then its ports are bound to loopback only.
pub fn docker_is_local() -> bool {
    let host = docker_host();
    host.starts_with("unix://")
        || authority(&host).is_some_and(|at| at.starts_with("127.") || at.starts_with("localhost:"))
}

/// Asks the engine for a sign of life.
///
/// # Errors
///
/// Says what happened instead: no socket, a refused connection, no answer within `limit`.
pub fn ping_docker(limit: Duration) -> Result<(), String> {
    let host = docker_host();
    let said = host.clone();
    // On a thread of its own: connecting to a socket whose owner hangs can block without a limit.
    within(limit, move || ping(&host, limit)).map_err(|why| format!("{why} at {said}"))
}

/// The host of an engine's address, as it stands before a port: in brackets where it is one of IPv6.
#[cfg(feature = "integration")]
pub(crate) fn host_of(engine: &str) -> Option<&str> {
    Some(authority(engine)?.rsplit_once(':')?.0)
}

fn ping(host: &str, limit: Duration) -> Result<(), String> {
    let words = |error: std::io::Error| error.to_string();
    match host.split_once("://") {
        Some(("unix", path)) => {
            let stream = UnixStream::connect(path).map_err(words)?;
            stream.set_read_timeout(Some(limit)).map_err(words)?;
            answered(stream)
        }
        Some(("tcp" | "http", _)) => {
            let stream = connect(authority(host).ok_or("no host:port")?, limit)?;
            // A TLS engine answers no plain request; testcontainers will say what is wrong with its certificates.
            if set("DOCKER_TLS_VERIFY").is_some() { Ok(()) } else { answered(stream) }
        }
        _ => Err("testcontainers knows unix://, tcp:// and http:// engines, not this one".into()),
    }
}

fn answered(mut stream: impl Read + Write) -> Result<(), String> {
    let mut first = String::new();
    stream
        .write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        .and_then(|()| BufReader::new(stream).read_line(&mut first))
        .map_err(|error| error.to_string())?;
    match first.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("no Docker engine answers (it said `{}`)", first.trim())),
    }
}
