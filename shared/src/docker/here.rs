//! Where this process is, as the engine sees it: beside the engine, or in one of its containers.
//!
//! In a container that has the engine's socket, 127.0.0.1 is the address of the container itself. A
//! port that the engine publishes on the loopback address of its machine cannot be reached there. A
//! container on the same network can be reached.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::models::{
    ContainerInspectResponse, EndpointSettings, IpamConfig,
};
use tokio::sync::OnceCell;

use super::client::{docker_client_instance, is_missing, limited, query, query_limit};
use crate::provider::docker_is_local;
use crate::{Error, Heading};

/// The container that this process runs in.
pub(super) struct Job {
    pub(super) id: String,
    /// The network over which this container reaches others. `None` if it uses the network of its
    /// machine: then it reaches others through their published ports.
    pub(super) network: Option<String>,
}

/// The container of the engine in which this process runs. `None` if the process runs beside the
/// engine.
pub(super) async fn job() -> Result<Option<&'static Job>, Error> {
    static JOB: OnceCell<Option<Job>> = OnceCell::const_new();
    JOB.get_or_try_init(ask).await.map(Option::as_ref)
}

async fn ask() -> Result<Option<Job>, Error> {
    let Some(id) = own_id() else { return Ok(None) };
    let engine = docker_client_instance().await.map_err(|cause| {
        Error::under(Heading::Harness, "no client for the Docker engine").cause(cause)
    })?;
    // A container of another engine, such as the one in which this engine runs.
    let Some(mut own) = inspect(&engine, &id).await? else { return Ok(None) };
    let mode = |of: &ContainerInspectResponse| {
        of.host_config.as_ref().and_then(|config| config.network_mode.clone()).unwrap_or_default()
    };
    let shared = mode(&own).strip_prefix("container:").map(str::to_owned);
    if let Some(shared) = shared
        && let Some(other) = inspect(&engine, &shared).await?
    {
        own = other;
    }
    if mode(&own) == "host" {
        return Ok(Some(Job { id, network: None }));
    }
    let networks = own.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let Some(network) = first(networks) else {
        return Err(Error::under(
            Heading::Inside,
            "the tests run in a container that cannot reach any other container",
        )
        .cause(format!("the container {id} has no network"))
        .fix("docker run --network bridge, instead of --network none"));
    };
    Ok(Some(Job { id, network: Some(network) }))
}

/// Whether this process reaches containers by their own addresses: from a container on their
/// network, or on a machine that has the engine's bridge. That is so beside an engine on Linux,
/// unless the engine has a network or a machine of its own.
pub(crate) async fn reaches_containers() -> Result<bool, Error> {
    if job().await?.is_some_and(|job| job.network.is_some()) {
        return Ok(true);
    }
    if !cfg!(target_os = "linux") || !docker_is_local() {
        return Ok(false);
    }
    let failed = |cause: String| {
        Error::under(Heading::Docker, "the Docker engine has no bridge").cause(cause)
    };
    let engine = docker_client_instance().await.map_err(|error| failed(error.to_string()))?;
    let look = engine.inspect_network("bridge", None::<query::InspectNetworkOptions>);
    let Ok(bridge) = limited(query_limit(), "what its bridge is", look).await? else {
        return Ok(false);
    };
    let networks = bridge.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    // Only what has an address can use it.
    Ok(networks.iter().filter_map(gateway).any(|gateway| UdpSocket::bind((gateway, 0)).is_ok()))
}

/// The engine's own address on a network. An engine that has just made its bridge, at its first start on
/// a machine, does not name it before the next start (Docker 20.10): it is the first one of the subnet.
fn gateway(network: &IpamConfig) -> Option<IpAddr> {
    let named = network.gateway.as_ref().filter(|named| !named.is_empty());
    if let Some(named) = named {
        return named.parse().ok();
    }
    match network.subnet.as_ref()?.split_once('/')?.0.parse().ok()? {
        IpAddr::V4(subnet) => Some(Ipv4Addr::from_bits(subnet.to_bits().checked_add(1)?).into()),
        IpAddr::V6(subnet) => Some(Ipv6Addr::from_bits(subnet.to_bits().checked_add(1)?).into()),
    }
}

/// Whether the engine says that no process of a container is alive.
pub(super) async fn has_ended(engine: &Docker, id: &str) -> bool {
    match inspect(engine, id).await {
        Ok(None) => true,
        Ok(Some(container)) => container.state.and_then(|state| state.running) == Some(false),
        Err(_) => false,
    }
}

/// The first network on which the container has an address.
fn first(networks: HashMap<String, EndpointSettings>) -> Option<String> {
    let mut names: Vec<String> = networks
        .into_iter()
        .filter(|(_, endpoint)| endpoint.ip_address.as_ref().is_some_and(|ip| !ip.is_empty()))
        .map(|(name, _)| name)
        .collect();
    names.sort();
    names.into_iter().next()
}

async fn inspect(engine: &Docker, id: &str) -> Result<Option<ContainerInspectResponse>, Error> {
    let what = format!("what the container of the tests is ({id})");
    let look = engine.inspect_container(id, None::<query::InspectContainerOptions>);
    match limited(query_limit(), &what, look).await? {
        Ok(own) => Ok(Some(own)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(cause) => {
            Err(Error::under(Heading::Docker, format!("the Docker engine does not say {what}"))
                .cause(cause))
        }
    }
}

/// The id of the container that this process runs in.
fn own_id() -> Option<String> {
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    let marked = || {
        ["/.dockerenv", "/run/.containerenv"]
            .iter()
            .any(|mark| std::fs::exists(mark).unwrap_or_default())
    };
    let by_name = || {
        let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
        (marked() && name.len() == 12 && is_hex(&name)).then_some(name)
    };
    id_in_mounts(&text("/proc/self/mountinfo"))
        .or_else(|| id_in(&text("/proc/self/cgroup")))
        .or_else(by_name)
}

/// Finds the id in the mounts. Engines mount these files into a container from a directory that
/// they name after the container.
fn id_in_mounts(mounts: &str) -> Option<String> {
    let files = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    mounts.lines().find_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, _, _, root, at, ..] = words[..] else { return None };
        files.contains(&at).then(|| id_in(root)).flatten()
    })
}

/// The first word of 64 hexadecimal digits.
fn id_in(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.into_iter().find(|word| word.len() == 64 && is_hex(word)).map(str::to_owned)
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{IpamConfig, gateway, id_in, id_in_mounts};

    #[test]
    fn the_gateway_is_the_one_that_is_named_or_the_first_address() {
        let of = |named: Option<&str>, subnet: &str| {
            let (named, subnet) = (named.map(str::to_owned), Some(subnet.to_owned()));
            let network = IpamConfig { gateway: named, subnet, ..IpamConfig::default() };
            gateway(&network).map(|address| address.to_string())
        };
        assert_eq!(of(Some("172.17.0.9"), "172.17.0.0/16").as_deref(), Some("172.17.0.9"));
        for unnamed in [None, Some("")] {
            assert_eq!(of(unnamed, "172.17.0.0/16").as_deref(), Some("172.17.0.1"));
            assert_eq!(of(unnamed, "fd00:1::/64").as_deref(), Some("fd00:1::1"));
        }
        for none in ["", "172.17.0.0", "x/16", "255.255.255.255/32"] {
            assert_eq!(of(None, none), None, "{none}");
        }
    }

    #[test]
    fn a_containers_id_is_found_where_engines_leave_it() {
        let id = "a2d7f1ff12a92427e9cbfd80bc87f0a454f949061aae5816e06650dfcd0e9f9d";
        let docker = format!(
            "1 0 0:1 / / rw - overlay o rw\n94 76 254:0 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/vda rw"
        );
        let podman = format!(
            "94 76 0:25 /containers/overlay-containers/{id}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw"
        );

        assert_eq!(id_in_mounts(&docker).as_deref(), Some(id));
        assert_eq!(id_in_mounts(&podman).as_deref(), Some(id));
        assert_eq!(id_in_mounts(&docker.replace("/etc/hostname", "/data")), None);
        assert_eq!(id_in(&format!("8:pids:/docker/{id}")).as_deref(), Some(id));
        assert_eq!(id_in(&format!("0::/system.slice/docker-{id}.scope")).as_deref(), Some(id));
        assert_eq!(id_in("0::/user.slice"), None);
    }
}
