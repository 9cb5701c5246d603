//! The part of a run's server that is specific to Toxiproxy.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::{ContainerRequest, GenericImage, ImageExt};
use tokio::sync::OnceCell;

use super::super::upstream::{Upstream, is_loopback};
use super::api::Api;
use super::place;
use super::version::{number, version};
use crate::address::Address;
use crate::docker::{self, Chosen};
use crate::provider::{PROVIDER_VAR, docker_host, docker_is_local, host_of};
use crate::run::{DIR_VAR, Run, on_own_thread};
use crate::server::{self, Data, Origin, Process, Secrets, Served, Server};
use crate::service::{Service, TOXIPROXY};
use crate::{Error, Heading, cure, secret, wait};

const API: u16 = 8474;

/// `published` makes tests use the published ports of a Toxiproxy in a container, also where they can
/// reach the container itself.
const PORTS_VAR: &str = "TESTENV_TOXIPROXY_PORTS";

/// A container that can be reached answers within a millisecond.
const DIRECT_LIMIT: Duration = Duration::from_millis(300);

/// How many ports for proxies the container publishes, behind that of the API, if tests cannot reach
/// the container itself. Each one costs 25 ms when the container starts and 70 ms when it is
/// removed: 16 of them start in 0.6 s, 32 in 1.1 s.
const ROOM: usize = 16;

/// The API's port, and those for proxies.
static PORTS: [ContainerPort; ROOM + 1] = {
    let mut ports = [ContainerPort::Tcp(API); ROOM + 1];
    let mut at = 1;
    while at <= ROOM {
        ports[at] = ContainerPort::Tcp(API + at as u16);
        at += 1;
    }
    ports
};

/// What is not there in earlier versions: the reset of a connection.
const OLDEST: (u32, u32) = (2, 2);

/// The server of the run, and how its proxies are reached.
pub(super) struct Toxiproxy {
    pub(super) run: &'static Run,
    pub(super) server: Server,
    pub(super) api: Api,
    pub(super) ports: Ports,
    place: Place,
    /// Servers of the run as the container reaches them, which takes the engine 10 ms to say.
    inside: Mutex<HashMap<String, String>>,
}

/// Where the server is, which decides what it can reach.
enum Place {
    /// On this machine: it has the tests' 127.0.0.1.
    Here,
    /// In this container of ours, which joins the network of the run when that is needed.
    Container { name: String, joined: OnceCell<()> },
    /// In a container on the network of the container in which the tests run.
    BesideTests,
    /// On another machine.
    Elsewhere,
}

/// On which ports proxies listen.
pub(super) enum Ports {
    /// On any of the address `listen`, which tests reach at `host`.
    Any { listen: String, host: String },
    /// On these of a container, at these addresses. The engine accepts connections there, also for
    /// a proxy that does not, and ends those in the usual way that were reset.
    Few(Vec<(u16, String)>),
}

/// The server of the run. The first proxy of the process asks for it.
pub(super) async fn of_the_run() -> Result<&'static Toxiproxy, Error> {
    SERVER.get_or_try_init(|| on_own_thread(connect)).await
}

/// The same, if an earlier proxy of the process has asked for it.
pub(super) fn known() -> Option<&'static Toxiproxy> {
    SERVER.get()
}

static SERVER: OnceCell<Toxiproxy> = OnceCell::const_new();

async fn connect() -> Result<Toxiproxy, Error> {
    let (run, server) = server::connect::<OfToxiproxy>().await?;
    let (host, port) = place(&server);
    let is_inside = match server.origin {
        Origin::Owned => !run.is_native(TOXIPROXY.name),
        Origin::Kept => true,
        Origin::External => false,
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let among_containers = is_inside && docker::on_engine(docker::is_among_containers()).await?;
    let found = match is_inside && !among_containers {
        true => docker::publisher(run, port).await?,
        false => None,
    };
    let (place, ports) = match found {
        Some(found) => {
            // One that publishes no ports for proxies was started by a process that reaches it.
            let has_ports = found.published.iter().any(|(inner, _)| *inner != API);
            let limit = if has_ports { DIRECT_LIMIT } else { OfToxiproxy::START_LIMIT };
            let ports = match found.ip {
                Some(ip) if is_reached(&ip, limit).await => {
                    Ports::Any { listen: ip.clone(), host: ip }
                }
                _ => Ports::Few(of_proxies(&host, found.published)?),
            };
            (Place::Container { name: found.container, joined: OnceCell::new() }, ports)
        }
        None if !is_inside && is_loopback(&format!("{host}:{port}")) => {
            (Place::Here, Ports::Any { listen: "127.0.0.1".to_owned(), host })
        }
        None => {
            let place = if is_inside { Place::BesideTests } else { Place::Elsewhere };
            (place, Ports::Any { listen: "0.0.0.0".to_owned(), host })
        }
    };
    let api = Api::new(&server.address)?;
    Ok(Toxiproxy { run, server, api, ports, place, inside: Mutex::default() })
}

/// Whether a place is on the machine of an engine that is elsewhere: a name or an address that its
/// containers need not know.
fn is_the_engines(place: &str) -> bool {
    let host = place.rsplit_once(':').map(|(host, _)| host.to_owned());
    !docker_is_local() && host == host_of(&docker_host())
}

fn is_published() -> bool {
    std::env::var(PORTS_VAR).is_ok_and(|ports| ports == "published")
}

/// Whether this process reaches the container itself, as it does if the engine runs on this Linux.
/// Then proxies have as many ports as they like, and a reset is one.
async fn is_reached(ip: &str, limit: Duration) -> bool {
    if is_published() || !docker_is_local() {
        return false;
    }
    match TOXIPROXY.address(&format!("http://{ip}:{API}")).map(|at| Api::new(&at)) {
        Ok(Ok(api)) => {
            let answers = wait::until(limit, "an answer of the container", || version(&api));
            wait::within(limit, answers).await.is_some_and(|it| it.is_ok())
        }
        _ => false,
    }
}

/// The published ports of a container, but for that of its API.
fn of_proxies(host: &str, published: Vec<(u16, u16)>) -> Result<Vec<(u16, String)>, Error> {
    let of_proxies = published.into_iter().filter(|(inner, _)| *inner != API);
    let ports: Vec<_> = of_proxies.map(|(inner, at)| (inner, format!("{host}:{at}"))).collect();
    if !ports.is_empty() {
        return Ok(ports);
    }
    // It was started for tests that reach it.
    Err(Error::under(
        Heading::Start,
        "Toxiproxy's container cannot be reached, and publishes no ports for proxies",
    )
    .fix(format!("export {PORTS_VAR}=published"))
    .fix(format!("export {PROVIDER_VAR}=native"))
    .fix(format!("{}, if the container is a kept one", cure::command("reuse stop"))))
}

impl Toxiproxy {
    /// The address of an upstream as the server reaches it.
    pub(super) async fn target(&'static self, upstream: &Upstream) -> Result<String, Error> {
        let place = upstream.place();
        match &self.place {
            Place::Container { name, joined } if upstream.is_loopback() => {
                self.inside(place, name, joined).await
            }
            Place::Container { name, joined } if is_the_engines(place) => {
                // What is no server of the run is one beside the engine, known there by its own name.
                let found = self.inside(place, name, joined).await;
                Ok(found.unwrap_or_else(|_| place.to_owned()))
            }
            Place::Container { name, joined } if upstream.is_name() => {
                self.join(name, joined).await?;
                Ok(place.to_owned())
            }
            Place::BesideTests if upstream.is_loopback() => Err(unreachable(
                place,
                "Toxiproxy runs in a container beside that of the tests",
            )
            .fix("let the upstream listen on 0.0.0.0, and name it by its container's address")),
            Place::Elsewhere if upstream.is_loopback() => {
                let (host, _) = super::place(&self.server);
                let var = TOXIPROXY.url_var;
                Err(unreachable(place, "Toxiproxy runs on another machine")
                    .fix(format!("name the upstream as {host} reaches it"))
                    .fix(format!("`unset {var}`, with {PROVIDER_VAR}=native")))
            }
            _ => Ok(place.to_owned()),
        }
    }

    /// The address of a server of the run, over the run's network.
    async fn inside(
        &'static self,
        place: &str,
        name: &'static str,
        joined: &'static OnceCell<()>,
    ) -> Result<String, Error> {
        let lock = || self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(place) {
            return Ok(known.clone());
        }
        let (run, asked) = (self.run, place.to_owned());
        let found = on_own_thread(async move || docker::inside(run, &asked).await);
        let found = found.await.map_err(|error| {
            // Its cure is for those who want to reach a server of the run.
            let said = error.to_string();
            let said = said.lines().map(str::trim);
            let said =
                said.filter(|line| !line.starts_with("to fix: ") && !line.starts_with("more: "));
            unreachable(place, "Toxiproxy runs in a container")
                .tried(said.collect::<Vec<_>>().join("; "))
                .fix(format!("export {PROVIDER_VAR}=native"))
                .fix(format!("export {}=<a Toxiproxy of this machine>", TOXIPROXY.url_var))
        })?;
        self.join(name, joined).await?;
        lock().insert(place.to_owned(), found.clone());
        Ok(found)
    }

    /// Connects the container to the run's network, before it looks for its first name: it reads
    /// its list of name servers only every five seconds.
    async fn join(&self, name: &'static str, joined: &OnceCell<()>) -> Result<(), Error> {
        let run = self.run;
        let join = || on_own_thread(async move || docker::join(run, name).await);
        joined.get_or_try_init(join).await.copied()
    }
}

fn unreachable(place: &str, cause: &str) -> Error {
    Error::under(
        Heading::Proxy,
        format!("Toxiproxy cannot reach {place}, the upstream of the proxy"),
    )
    .cause(format!("{cause}, and {place} is an address that only this machine has"))
}

struct OfToxiproxy;

/// The name of a proxy that is never enabled. A native server that has it is the one that this
/// process has started; Toxiproxy itself has no password by which it could be known.
static SIGN: OnceLock<String> = OnceLock::new();

impl Served for OfToxiproxy {
    const SERVICE: &'static Service = &TOXIPROXY;
    const PORT: ContainerPort = ContainerPort::Tcp(API);
    const DATA: Data = Data::At(&[]);
    /// Measured 0.05 to 0.4 s on two cores; a loaded machine takes several times that.
    const START_LIMIT: Duration = Duration::from_secs(60);
    const SETTINGS: &'static [&'static str] = &["16 ports"];
    type Image = GenericImage;

    async fn ports() -> Result<&'static [ContainerPort], Error> {
        let direct = !is_published() && docker::reaches_containers().await?;
        Ok(if direct { &PORTS[..1] } else { &PORTS })
    }

    fn container(image: &Chosen, _: &Secrets, _: Option<&str>) -> ContainerRequest<GenericImage> {
        let image = GenericImage::new(&image.name, &image.tag);
        PORTS
            .iter()
            .fold(image, |image, port| image.with_exposed_port(*port))
            .with_cmd(["-host=0.0.0.0"])
    }

    /// Toxiproxy has no password: our servers listen on loopback or in a network of the engine.
    fn url(_: &str, place: &str) -> String {
        format!("http://{place}")
    }

    async fn process(
        run: &'static Run,
        programs: &[PathBuf],
        _: &Secrets,
    ) -> Result<Process, Error> {
        let [program] = programs else { unreachable!("the service names one program") };
        let sign = SIGN.get_or_init(|| format!("testenv-{}", run.token()));
        let file = run.dir().join("toxiproxy-config.json");
        let config = format!(
            r#"[{{"name": "{sign}", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", "enabled": false}}]"#
        );
        secret::write(&file, &config).map_err(|cause| {
            Error::under(Heading::State, format!("cannot write {}", file.display()))
                .cause(cause)
                .fix(format!("export {DIR_VAR}=<a directory of yours with space left>"))
        })?;
        let file = file.to_string_lossy().into_owned();
        let arguments = move |port: u16| {
            let fixed = ["-host=127.0.0.1".to_owned(), format!("-config={file}")];
            Ok(fixed.into_iter().chain([format!("-port={port}")]).collect())
        };
        Ok(Process {
            program: program.clone(),
            arguments: Box::new(arguments),
            user: None,
            port_taken: "address already in use",
        })
    }

    async fn answers(address: &Address) -> Result<(), String> {
        let api = Api::new(address).map_err(|error| error.to_string())?;
        version(&api).await?;
        match SIGN.get() {
            Some(sign) if !api.has(sign).await => Err("another Toxiproxy answers there".into()),
            _ => Ok(()),
        }
    }

    async fn handshake(address: &Address, origin: Origin) -> Result<String, Error> {
        let api = Api::new(address)?;
        let (name, var) = (&TOXIPROXY, TOXIPROXY.url_var);
        let with_cure = |error: Error| match origin {
            Origin::External => error
                .tried(format!("{var}={address}"))
                .fix(format!(
                    "export {var}={}, of a Toxiproxy from version 2.2 on",
                    name.dialect.example
                ))
                .fix(format!("`unset {var}` to have a server started for the run")),
            Origin::Owned | Origin::Kept => error.fix(format!(
                "use Toxiproxy {}: unset {}, and take an older toxiproxy-server out of the PATH",
                name.image.tag,
                name.image.override_var()
            )),
        };
        let said = version(&api).await.map_err(|why| {
            with_cure(Error::under(Heading::Given, "no Toxiproxy server answers").cause(why))
        })?;
        match number(&said) {
            Some(version) if version.0 != OLDEST.0 || version < OLDEST => {
                let error = Error::under(
                    Heading::Given,
                    "the Toxiproxy server has another version than the harness needs",
                );
                let why =
                    format!("it is {said}, and 2.x from {}.{} on is needed", OLDEST.0, OLDEST.1);
                Err(with_cure(error.cause(why)))
            }
            // A build of one's own: it calls itself `git`.
            _ => Ok(said.split_whitespace().collect::<Vec<_>>().join("-")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{API, OfToxiproxy, PORTS, ROOM, Served};

    #[test]
    fn the_container_has_as_many_ports_as_its_settings_say() {
        assert_eq!(OfToxiproxy::SETTINGS, [format!("{ROOM} ports")]);
        assert_eq!(PORTS.first().map(|port| port.as_u16()), Some(API));
        assert_eq!(PORTS.last().map(|port| port.as_u16()), Some(API + 16));
    }
}
