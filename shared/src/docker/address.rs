//! Where this process can reach a port of a container.

use testcontainers_modules::testcontainers::core::ContainerPort;

use super::client::{docker_client_instance, limited, query, query_limit};
use super::here;
use crate::provider::{docker_host, docker_is_local, host_of};
use crate::{Error, Heading};

pub(super) const LOOPBACK: &str = "127.0.0.1";

/// The address of a container's port, as `host:port`, as this process reaches it. The engine is
/// asked each time, because a container that was started again has another address.
pub(super) async fn of(container: &str, port: ContainerPort) -> Result<String, Error> {
    let unknown = |cause: String| {
        Error::under(
            Heading::Docker,
            format!("the container's port {port} has no address that the tests can reach"),
        )
        .cause(cause)
    };
    let engine = docker_client_instance().await.map_err(|error| unknown(error.to_string()))?;
    let what = format!("where the port {port} of {container} is");
    let look = engine.inspect_container(container, None::<query::InspectContainerOptions>);
    let look = limited(query_limit(), &what, look).await?;
    let settings = look.map_err(|error| unknown(error.to_string()))?.network_settings;
    let settings = settings.unwrap_or_default();
    if let Some(network) = here::job().await?.and_then(|job| job.network.as_deref()) {
        let endpoint = settings.networks.and_then(|mut networks| networks.remove(network));
        let ip = endpoint.and_then(|endpoint| endpoint.ip_address).filter(|ip| !ip.is_empty());
        let ip = ip.ok_or_else(|| unknown(format!("it is not on the network {network}")))?;
        return Ok(format!("{ip}:{}", port.as_u16()));
    }
    let bindings = settings.ports.unwrap_or_default().remove(&port.to_string()).flatten();
    let published = bindings.unwrap_or_default().into_iter().find_map(|binding| binding.host_port);
    let published = published.ok_or_else(|| unknown("it is not published".into()))?;
    Ok(format!("{}:{published}", host()?))
}

/// The address of the engine's machine on which ports are published. It is one address, because an
/// engine may give a port of a container one number for IPv4 and another one for IPv6.
pub(super) async fn published_on() -> &'static str {
    if docker_is_local() {
        return LOOPBACK;
    }
    let host = host_of(&docker_host()).unwrap_or_default();
    let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), 0)).await;
    match found.is_ok_and(|mut found| found.all(|address| address.is_ipv6())) {
        true => "::",
        false => "0.0.0.0",
    }
}

/// The host on which published ports listen, as this process names it.
pub(super) fn host() -> Result<String, Error> {
    // Where the port was bound.
    if docker_is_local() {
        return Ok(LOOPBACK.into());
    }
    let engine = docker_host();
    host_of(&engine).ok_or_else(|| {
        Error::under(Heading::Docker, format!("the engine's address {engine} names no host"))
    })
}
