//! The Docker engine: where it is, and whether it answers.
//!
//! `DOCKER_HOST` names the engine. Otherwise it is the engine of the context that the `docker`
//! command would use, otherwise the first existing socket. testcontainers knows no contexts and few
//! sockets, so [`tell_testcontainers`] sets `DOCKER_HOST` for it before `main`.
//!
//! Invariant: the engine that we ping, the engine of testcontainers and the engine of `docker` are
//! the same.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reach::{connect, within, words};
use super::set;

mod context;
mod local;
#[cfg(target_os = "linux")]
mod ssh;

/// Serves the way of this process to an engine behind `ssh://`, if there is one.
pub(crate) fn serve_ssh() {
    #[cfg(target_os = "linux")]
    ssh::serve();
}

/// The port that `docker` uses for `tcp://host` without a port.
const PORT: u16 = 2375;

/// The same for an engine behind TLS.
const TLS_PORT: u16 = 2376;

/// The variables by which `docker` and testcontainers know an engine behind TLS, and its keys.
const TLS_VAR: &str = "DOCKER_TLS_VERIFY";
const KEYS_VAR: &str = "DOCKER_CERT_PATH";

/// A login takes several ways to the other machine and back, and a process there.
const SSH_LIMIT: Duration = Duration::from_secs(10);

/// Set beside a `DOCKER_HOST` that leads through the process that set it: the engine's own address, for
/// the children of that process.
const ENGINE_VAR: &str = "TESTENV_ENGINE";

/// With what the address of a way through a process begins.
const THROUGH_A_PROCESS: &str = "unix:///proc/";

/// The engine's address: `DOCKER_HOST`, otherwise the address of Docker's context, otherwise the
/// first existing socket.
pub fn docker_host() -> String {
    resolved().map_or_else(|_unusable| first_socket(), |engine| engine.host)
}

/// Where an engine is, and the directory of the keys for one behind TLS.
struct Engine {
    host: String,
    keys: Option<PathBuf>,
}

fn resolved() -> Result<Engine, String> {
    let through = |host: &String| host.starts_with(THROUGH_A_PROCESS);
    let engine = match set("DOCKER_HOST") {
        Some(host) => {
            let host = Some(&host)
                .filter(|host| through(host))
                .and_then(|_| set(ENGINE_VAR))
                .unwrap_or(host);
            let scheme = host.trim().split_once("://").map(|(scheme, _)| scheme);
            let over_tls = match scheme.unwrap_or_default().to_ascii_lowercase().as_str() {
                "https" => true,
                "tcp" | "http" => set(TLS_VAR).is_some(),
                _ => false,
            };
            let keys = || set(KEYS_VAR).map(PathBuf::from).or_else(context::config_dir);
            Engine { host, keys: keys().filter(|_| over_tls) }
        }
        None => match context::engine()? {
            Some(engine) => engine,
            None => Engine { host: first_socket(), keys: None },
        },
    };
    if let Some(keys) = &engine.keys {
        usable(keys)?;
    }
    Ok(Engine { host: plain(&engine.host, engine.keys.is_some()), ..engine })
}

/// Makes sure that there are keys for an engine behind TLS, and a client that has use for them.
fn usable(keys: &Path) -> Result<(), String> {
    if !cfg!(feature = "tls") {
        return Err(
            "the harness's client is built without TLS: add the feature `tls` for the engine"
                .into(),
        );
    }
    match ["ca.pem", "cert.pem", "key.pem"].iter().find(|name| !keys.join(name).exists()) {
        Some(missing) => Err(format!(
            "no {missing} in {}: {KEYS_VAR} names the directory of the keys for the engine",
            keys.display()
        )),
        None => Ok(()),
    }
}

/// The address in the one spelling that every client understands.
fn plain(host: &str, over_tls: bool) -> String {
    let Some((scheme, rest)) = host.trim().split_once("://") else { return host.trim().into() };
    let scheme = scheme.to_ascii_lowercase();
    let rest = if scheme == "unix" { rest } else { rest.trim_end_matches('/') };
    let port = rest.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    let bare = rest.ends_with(']') || !matches!(port, Some(Ok(_)));
    if ["tcp", "http", "https"].contains(&scheme.as_str()) && bare && !rest.contains('/') {
        let port = if over_tls { TLS_PORT } else { PORT };
        return format!("{scheme}://{rest}:{port}");
    }
    format!("{scheme}://{rest}")
}

/// The sockets of engines on this machine: first those that testcontainers tries, then those of
/// rootless engines and desktops.
fn sockets() -> Vec<PathBuf> {
    let home = |below: &str| env::home_dir().map(|home| home.join(below));
    let runtime = |below: &str| set("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join(below));
    let sockets = [
        Some(PathBuf::from("/var/run/docker.sock")),
        runtime(".docker/run/docker.sock"),
        home(".docker/run/docker.sock"),
        home(".docker/desktop/docker.sock"),
        runtime("docker.sock"),
        home(".orbstack/run/docker.sock"),
        home(".colima/default/docker.sock"),
        home(".rd/docker.sock"),
        runtime("podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ];
    sockets.into_iter().flatten().collect()
}

fn first_socket() -> String {
    let mut sockets = sockets();
    let there = sockets.iter().position(|path| path.exists()).unwrap_or_default();
    format!("unix://{}", sockets.swap_remove(there).display())
}

/// Sets `DOCKER_HOST` for this process and its children, if testcontainers would otherwise use
/// another engine, and the variables for its keys.
///
/// Call it before `main`, while there is one thread.
pub(crate) fn tell_testcontainers() {
    let Ok(Engine { host, keys }) = resolved() else { return };
    // The first of these is what testcontainers takes, too.
    let by_itself = || sockets().into_iter().take(4).find(|path| path.exists());
    let taken = match env::var("DOCKER_HOST") {
        Ok(host) => Some(host),
        Err(_) => by_itself().map(|path| format!("unix://{}", path.display())),
    };
    let keys = keys.map(|keys| [(TLS_VAR, "1".into()), (KEYS_VAR, keys.into_os_string())]);
    #[cfg(target_os = "linux")]
    let (own, host) = match host.starts_with(ssh::SCHEME).then(|| ssh::opened(&host)) {
        Some(Ok(way)) => (Some((ENGINE_VAR, host.into())), way),
        // It is refused when it is asked for a sign of life.
        Some(Err(_)) => return,
        None => (None, host),
    };
    #[cfg(not(target_os = "linux"))]
    let own = None;
    let host = (taken.as_ref() != Some(&host)).then(|| ("DOCKER_HOST", host.into()));
    for (var, value) in keys.into_iter().flatten().chain(own).chain(host) {
        #[expect(
            unsafe_code,
            reason = "there is one thread, so nobody reads the environment meanwhile"
        )]
        unsafe {
            env::set_var(var, value);
        }
    }
}

/// Whether the engine may be on this machine. If so, its ports are bound to loopback only.
pub(crate) fn docker_is_local() -> bool {
    let host = docker_host();
    local::is_local(&host, network_address(&host))
}

/// `host:port` of an engine that is reached over a network.
fn network_address(host: &str) -> Option<String> {
    #[cfg(target_os = "linux")]
    if host.starts_with(ssh::SCHEME) {
        return ssh::place(host);
    }
    let (scheme, rest) = host.split_once("://")?;
    let rest = rest.split('/').next()?;
    let at = rest.rsplit_once('@').map_or(rest, |(_, at)| at);
    (["tcp", "http", "https"].contains(&scheme) && !at.is_empty()).then(|| at.to_owned())
}

/// The host of an engine's address, as it is written before a port: an IPv6 address is in brackets.
pub(crate) fn host_of(engine: &str) -> Option<String> {
    Some(network_address(engine)?.rsplit_once(':')?.0.to_owned())
}

/// What to do about an engine that does not answer and that the user named: it is none that could be
/// installed here.
pub(crate) fn cure_of_a_given_one() -> Option<String> {
    let by = |var: &str| set(var).map(|value| format!("correct {var}={value}, or `unset {var}`"));
    let by = by("DOCKER_HOST").or_else(|| by("DOCKER_CONTEXT"));
    let other = "`docker context use <one of docker context ls>`";
    match resolved() {
        Ok(Engine { host, .. })
            if ["unix:///var/run/docker.sock", "unix:///run/docker.sock"].contains(&&*host) =>
        {
            None
        }
        Ok(Engine { host, .. }) => {
            Some(by.unwrap_or_else(|| format!("start the engine at {host}, or {other}")))
        }
        Err(_) => Some(by.unwrap_or_else(|| other.into())),
    }
}

/// Asks the engine for a sign of life.
///
/// # Errors
///
/// Says what happened instead: no socket, a refused connection, or no answer within `limit`.
pub fn ping_docker(limit: Duration) -> Result<(), String> {
    let Engine { host, keys } = resolved()?;
    let limit = if host.starts_with("ssh://") { limit.max(SSH_LIMIT) } else { limit };
    let said = host.clone();
    // On a thread of its own: connecting to a socket whose owner hangs can block without a limit.
    within(limit, move || ping(&host, keys.is_some(), limit))
        .map_err(|why| format!("{why} at {said}"))
}

fn ping(host: &str, over_tls: bool, limit: Duration) -> Result<(), String> {
    let words = |error: std::io::Error| words(&error, limit);
    match host.split_once("://") {
        Some(("unix", path)) => {
            let stream = UnixStream::connect(path).map_err(words)?;
            stream.set_read_timeout(Some(limit)).map_err(words)?;
            answered(&stream, &stream, limit)
        }
        Some(("tcp" | "http" | "https", _)) => {
            let stream = connect(&network_address(host).ok_or("no host:port")?, limit)?;
            // An engine behind TLS answers no plain request; testcontainers will say what is wrong with its keys.
            if over_tls { Ok(()) } else { answered(&stream, &stream, limit) }
        }
        #[cfg(target_os = "linux")]
        Some(("ssh", _)) => over_ssh(host, limit),
        _ => Err("the harness's client knows unix://, tcp://, http://, https:// and (on Linux) ssh:// engines, not this one".into()),
    }
}

/// Asks once as `docker` does, and says what `ssh` said if there is no answer.
#[cfg(target_os = "linux")]
fn over_ssh(host: &str, limit: Duration) -> Result<(), String> {
    let words = |error: std::io::Error| words(&error, limit);
    let no_ssh = |error| format!("ssh cannot be run ({error})");
    let mut dial = ssh::dial(host).map_err(words)?;
    let mut way = dial.stderr(std::process::Stdio::piped()).spawn().map_err(no_ssh)?;
    let (Some(there), Some(back)) = (way.stdin.take(), way.stdout.take()) else {
        return Err("ssh has no pipes".into());
    };
    let answered = answered(back, there, limit);
    way.kill().ok();
    let output = way.wait_with_output().map(|output| output.stderr).unwrap_or_default();
    answered.map_err(|why| {
        let said = String::from_utf8_lossy(&output);
        said.lines()
            .rfind(|line| !line.trim().is_empty())
            .map_or(why, |last| format!("ssh: {last}"))
    })
}

fn answered(from: impl Read, mut to: impl Write, limit: Duration) -> Result<(), String> {
    let mut first = String::new();
    to.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        .and_then(|()| to.flush())
        .and_then(|()| BufReader::new(from).read_line(&mut first))
        .map_err(|error| words(&error, limit))?;
    match first.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("no Docker engine answers (it said `{}`)", first.trim())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use super::{ping, plain};

    #[test]
    fn an_engine_that_hangs_is_said_to_give_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let _listener = UnixListener::bind(&socket).unwrap();

        let pinged =
            ping(&format!("unix://{}", socket.display()), false, Duration::from_millis(20));

        assert_eq!(pinged, Err("no answer within 20 ms".to_owned()));
    }

    #[test]
    fn an_address_is_told_in_the_spelling_that_every_client_understands() {
        assert_eq!(plain("tcp://Host", true), "tcp://Host:2376");
        assert_eq!(plain("https://[::1]", true), "https://[::1]:2376");
        let plain = |host| plain(host, false);
        assert_eq!(plain("TCP://Host"), "tcp://Host:2375");
        assert_eq!(plain("tcp://[::1]"), "tcp://[::1]:2375");
        assert_eq!(plain("tcp://[::1]:77"), "tcp://[::1]:77");
        assert_eq!(plain("http://host:1/"), "http://host:1");
        assert_eq!(plain(" Unix:///Var/Run/x.sock"), "unix:///Var/Run/x.sock");
    }
}
