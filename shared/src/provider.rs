//! Where a server comes from: a URL, Docker, a native program, else an error with the cure.
//!
//! ```
//! use testenv::provider::{KAFKA, POSTGRES, REDIS, SERVICES, Service, Way, say};
//!
//! let names: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
//! assert_eq!(names, [POSTGRES.name, REDIS.name, KAFKA.name]);
//!
//! let service: &Service = &POSTGRES;
//! match service.choose() {
//!     Ok(Way::Url(url)) => say(service.name, &format!("{}={url}", service.url_var)),
//!     Ok(Way::Docker(engine)) => say(service.name, &format!("Docker at {engine}")),
//!     Ok(Way::Native(programs)) => say(service.name, &format!("{programs:?}")),
//!     Err(error) => println!("{error}"), // what was tried, and the command that cures it
//! }
//! println!("installed here: {:?}", service.native_programs());
//! ```
//!
//! The engine, and whether it answers:
//!
//! ```
//! use testenv::provider::{REACH_LIMIT, docker_host, docker_is_local, ping_docker, reach};
//!
//! match ping_docker(REACH_LIMIT) {
//!     Ok(()) => println!("{} answers; on this machine: {}", docker_host(), docker_is_local()),
//!     Err(why) => println!("no engine: {why}"),
//! }
//! assert!(reach("no address", REACH_LIMIT).is_err());
//! ```
//!
//! What a developer sets:
//!
//! ```no_run
//! use testenv::provider::{PROVIDER_VAR, REUSE_LABEL, REUSE_VAR};
//!
//! let mut cargo = std::process::Command::new("cargo");
//! cargo.args(["test", "--features", "integration"]).env(PROVIDER_VAR, "docker").env(REUSE_VAR, "1");
//! cargo.status().unwrap();
//! println!("docker ps --filter label={REUSE_LABEL}");
//! ```
//!
//! Invariant: the choice is made within a second, whatever hangs, and is said in one line on standard error.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use crate::Error;
use crate::images::{self, Image};
use crate::programs;

/// Forces a way: `docker` or `native`.
pub const PROVIDER_VAR: &str = "TESTENV_PROVIDER";

/// `1` keeps servers between runs, on a developer's machine only.
pub const REUSE_VAR: &str = "TESTENV_REUSE";

/// The label of a kept server's container: the hash by which it is found again.
pub const REUSE_LABEL: &str = "testenv.reuse";

/// A server or an engine on this machine or in its network answers in milliseconds; with two of them the whole choice stays within a second or so.
pub const REACH_LIMIT: Duration = Duration::from_millis(800);

/// A service that the harness can hand out.
#[derive(Debug)]
pub struct Service {
    /// As users write it.
    pub name: &'static str,
    /// The variable with the address of a server that somebody else runs.
    pub url_var: &'static str,
    /// The image for Docker.
    pub image: &'static Image,
    /// The programs of the native way; none where there is no native way.
    pub native: &'static [&'static str],
    /// Where distributions have them beside the PATH; `*` stands for a version.
    pub places: &'static [&'static str],
    /// Whether `cargo course setup` fetches them where there is no engine.
    pub fetched: bool,
    /// What stands in for it in the plain tier; empty where nothing does.
    pub embedded: &'static str,
}

/// PostgreSQL, version 13 or later.
pub const POSTGRES: Service = Service {
    name: "postgres",
    url_var: "TESTENV_POSTGRES_URL",
    image: &images::POSTGRES,
    native: &["initdb", "postgres"],
    // Debian and Ubuntu; PostgreSQL's own packages for Red Hat; Homebrew on its three prefixes.
    places: &[
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
        "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    ],
    fetched: true,
    embedded: "",
};

/// Redis, version 6 or later.
pub const REDIS: Service = Service {
    name: "redis",
    url_var: "TESTENV_REDIS_URL",
    image: &images::REDIS,
    native: &["redis-server"],
    places: &[],
    fetched: false,
    embedded: "",
};

/// Apache Kafka.
pub const KAFKA: Service = Service {
    name: "kafka",
    url_var: "TESTENV_KAFKA_BROKERS",
    image: &images::KAFKA,
    native: &[],
    places: &[],
    fetched: false,
    embedded: "librdkafka's mock broker",
};

/// All of them, in the order in which the course meets them.
pub const SERVICES: &[Service] = &[POSTGRES, REDIS, KAFKA];

/// The way that was chosen.
#[derive(Debug, PartialEq, Eq)]
pub enum Way {
    /// Somebody else's server at this address; what runs there is only visited.
    Url(String),
    /// The engine at this address.
    Docker(String),
    /// These programs, in the order of [`Service::native`].
    Native(Vec<PathBuf>),
}

impl Service {
    /// Chooses the way for this run, in the order of the module's first line.
    ///
    /// # Errors
    ///
    /// When the URL does not answer, [`PROVIDER_VAR`] has no meaning, or no way is open.
    pub fn choose(&self) -> Result<Way, Error> {
        let missing = || Error::new(format!("no {} server for the integration tier", self.name));
        if let Some(url) = set(self.url_var) {
            let tried = format!("{}={url}", self.url_var);
            return match reach(&url, REACH_LIMIT) {
                Ok(()) => Ok(Way::Url(url)),
                Err(why) => Err(missing().tried(tried).cause(why).fix(format!(
                    "correct {0}, or `unset {0}` to have a server started for the run",
                    self.url_var
                ))),
            };
        }
        let forced = set(PROVIDER_VAR);
        if let Some(other) = forced.as_deref().filter(|way| !["docker", "native"].contains(way)) {
            return Err(Error::new(format!("{PROVIDER_VAR}={other} is no way to a server"))
                .fix(format!("export {PROVIDER_VAR}=docker, or =native, or unset it")));
        }
        let mut error = missing().tried(format!("{}: not set", self.url_var));
        if forced.as_deref() == Some("native") {
            error = error.tried(format!("Docker: {PROVIDER_VAR}=native rules it out"));
        } else {
            match ping_docker(REACH_LIMIT) {
                Ok(()) => return Ok(Way::Docker(docker_host())),
                Err(why) => error = error.tried(format!("Docker: {why}")),
            }
        }
        if forced.as_deref() == Some("docker") {
            error = error.tried(format!("native: {PROVIDER_VAR}=docker rules it out"));
        } else {
            match self.native_programs() {
                Ok(programs) => return Ok(Way::Native(programs)),
                Err(why) => error = error.tried(format!("native: {why}")),
            }
        }
        if self.fetched {
            error = error.fix("cargo course setup");
        }
        Err(error
            .fix("cargo course setup --install")
            .fix(format!("export {}=<address of a server of yours>", self.url_var)))
    }

    /// The programs of the native way.
    ///
    /// # Errors
    ///
    /// Says which one is missing, or that there is no native way.
    pub fn native_programs(&self) -> Result<Vec<PathBuf>, String> {
        if self.native.is_empty() {
            return Err(format!("{} has no native way", self.name));
        }
        programs::find(self.name, self.native, self.places)
    }
}

/// Says in one line, past libtest's capture, who serves and why.
pub fn say(service: &str, line: &str) {
    // `eprintln!` would be captured with the test's output; whoever closed standard error does not want the line.
    let _unsaid = writeln!(std::io::stderr(), "testenv: {service}: {line}");
}

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

/// Connects to the first address of a broker list (`host:port,host:port`) or of a URL (`scheme://user@host:port/path`).
///
/// # Errors
///
/// Says what happened instead, or that the text holds no address.
pub fn reach(text: &str, limit: Duration) -> Result<(), String> {
    let address = authority(text).ok_or(format!("`{text}` holds no host:port"))?.to_owned();
    let said = address.clone();
    within(limit, move || connect(&address, limit).map(drop))
        .map_err(|why| format!("{why} at {said}"))
}

/// Sends the first words of a protocol to the server of a URL and returns the first byte of its answer.
///
/// # Errors
///
/// As [`reach`].
#[cfg(all(feature = "integration", feature = "postgres"))]
pub(crate) fn first_byte(
    url: &str,
    greeting: &'static [u8],
    limit: Duration,
) -> Result<u8, String> {
    let address = authority(url).ok_or(format!("`{url}` holds no host:port"))?.to_owned();
    let (tell, told) = mpsc::channel();
    within(limit, move || {
        let mut stream = connect(&address, limit)?;
        let mut first = [0];
        let asked = stream.write_all(greeting).and_then(|()| stream.read_exact(&mut first));
        asked.map_err(|error| error.to_string())?;
        tell.send(first[0]).map_err(|error| error.to_string())
    })?;
    told.recv().map_err(|error| error.to_string())
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

fn connect(address: &str, limit: Duration) -> Result<TcpStream, String> {
    let addresses = address.to_socket_addrs().map_err(|error| error.to_string())?;
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => {
                return stream
                    .set_read_timeout(Some(limit))
                    .map(|()| stream)
                    .map_err(|error| error.to_string());
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// `host:port` of a URL or of the first of a list.
fn authority(text: &str) -> Option<&str> {
    let first = text.split(',').next()?;
    let after_scheme = first.split_once("://").map_or(first, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).trim();
    host.rsplit_once(':')
        .is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok())
        .then_some(host)
}

fn within(
    limit: Duration,
    ask: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(ask()));
    told.recv_timeout(limit)
        .unwrap_or_else(|_| Err(format!("no answer within {} ms", limit.as_millis())))
}

fn set(var: &str) -> Option<String> {
    env::var(var).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn the_address_of_a_list_or_a_url_is_its_first_host_and_port() {
        assert_eq!(authority("a:1,b:2"), Some("a:1"));
        assert_eq!(authority("postgres://user:pa@ss@db:5432/x?y=z"), Some("db:5432"));
        assert_eq!(authority("[::1]:9092"), Some("[::1]:9092"));
        assert_eq!(authority("localhost"), None);
        assert_eq!(authority("host:notaport"), None);
    }
}
