//! The network of a run: over it the run's containers reach each other.
//!
//! It is created when a container is to be reached by another one. An engine has addresses for
//! about thirty networks, and most runs need none.
//!
//! Invariant: only containers that we started are connected to it.

use std::collections::HashMap;

use testcontainers_modules::testcontainers::bollard::errors::Error as EngineError;
use testcontainers_modules::testcontainers::bollard::models::{
    ContainerSummary, NetworkConnectRequest, NetworkCreateRequest,
};

use super::client::{docker_client_instance, limited, query, query_limit};
use super::start::{JOB_LABEL, OWNER_LABEL, SERVICE_LABEL, TOKEN_LABEL, note};
use super::{here, on_engine};
use crate::provider::{PROVIDER_VAR, docker_host, host_of};
use crate::reuse;
use crate::run::{Owner, Run};
use crate::service::KAFKA;
use crate::{Error, Heading};

/// The usual cause of a refusal.
const TOO_MANY: &str = "remove networks that nobody uses (docker network ls): an engine has addresses for about thirty";

/// The address of one of our servers as the run's other containers reach it, from its address as
/// this process reaches it. Both are `host:port`.
///
/// The containers that use the address must have [joined](join) the run's network.
///
/// # Errors
///
/// When no container of ours is at the address, when it is a Kafka broker's, or when the engine refuses.
pub async fn inside(run: &'static Run, address: &str) -> Result<String, Error> {
    // What stands before it may hold a password.
    let address = address.rsplit('@').next().unwrap_or_default();
    let unknown = |cause: &str| {
        Error::under(Heading::Inside, format!("no container can reach a server at {address}"))
            .cause(cause)
    };
    if here::job().await?.is_some_and(|job| job.network.is_some()) {
        // The tests and the run's containers are on one network already.
        return Ok(address.to_owned());
    }
    let place = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port): (&str, u16) = place.ok_or_else(|| unknown("it is no host:port"))?;
    if !["127.0.0.1", "localhost"].contains(&host)
        && host_of(&docker_host()).as_deref() != Some(host)
    {
        return Err(unknown("it is on another machine than the engine"));
    }
    let Some(Found { container, inner, service, .. }) = publisher(run, port).await? else {
        return Err(unknown("no container of this run, and no kept one, publishes the port")
            .fix(format!("export {PROVIDER_VAR}=docker")));
    };
    if service == KAFKA.name {
        return Err(unknown("a broker sends its clients to an address that only this machine has"));
    }
    join(run, &container).await?;
    Ok(format!("{container}:{inner}"))
}

/// Connects a container of the run, by its id or name, to the run's network. It is no error if it is connected already.
///
/// # Errors
///
/// When the engine refuses.
pub async fn join(run: &'static Run, container: &str) -> Result<(), Error> {
    if here::job().await?.is_some_and(|job| job.network.is_some()) {
        return Ok(());
    }
    let network = run.once("network", async |run| create(run).await).await?;
    let container = container.to_owned();
    on_engine(async move {
        let engine = docker_client_instance().await.map_err(|error| refused(&error))?;
        let request = NetworkConnectRequest {
            container: container.clone(),
            ..NetworkConnectRequest::default()
        };
        let what = format!("to connect {container} to the network {network}");
        match limited(query_limit(), &what, engine.connect_network(&network, request)).await? {
            Err(error) if !is_connected(&error) => Err(refused(&error)),
            _ => Ok(()),
        }
    })
    .await
}

async fn create(run: &'static Run) -> Result<String, Error> {
    note(run)?;
    let name = format!("testenv-{}", run.token());
    let owner = (OWNER_LABEL.to_owned(), Owner::of(run.dir()).to_string());
    let job = here::job().await?.map(|job| (JOB_LABEL.to_owned(), job.id.clone()));
    let token = (TOKEN_LABEL.to_owned(), run.token().to_owned());
    let labels = HashMap::from_iter([token, owner].into_iter().chain(job));
    let request = NetworkCreateRequest {
        name: name.clone(),
        labels: Some(labels),
        ..NetworkCreateRequest::default()
    };
    on_engine(async move {
        let engine = docker_client_instance().await.map_err(|error| refused(&error))?;
        let made = limited(query_limit(), "to create a network", engine.create_network(request));
        match made.await? {
            Ok(_) => Ok(name),
            // A process of this run made it and was killed before it could say so.
            Err(EngineError::DockerResponseServerError { status_code: 409, .. }) => Ok(name),
            Err(error) => Err(refused(&error).fix(TOO_MANY)),
        }
    })
    .await
}

/// A container that publishes a port.
pub(crate) struct Found {
    pub(crate) container: String,
    /// Its own port.
    inner: u16,
    service: String,
    /// All ports that it publishes: its own, and under which one they are reached.
    pub(crate) published: Vec<(u16, u16)>,
    /// Its address in the network in which it was started.
    pub(crate) ip: Option<String>,
}

/// The container of this run, or kept by this user on this machine, that publishes `port`. No other
/// one is changed.
pub(crate) async fn publisher(run: &'static Run, port: u16) -> Result<Option<Found>, Error> {
    let of_run = format!("{TOKEN_LABEL}={}", run.token());
    let kept = format!("{}={}", reuse::OWNER_LABEL, reuse::owner()?);
    on_engine(async move {
        match container_at(&of_run, port).await? {
            Some(found) => Ok(Some(found)),
            None => container_at(&kept, port).await,
        }
    })
    .await
}

/// The container with this label that publishes `port`.
async fn container_at(label: &str, port: u16) -> Result<Option<Found>, Error> {
    let engine = docker_client_instance().await.map_err(|error| refused(&error))?;
    let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
    let options = query::ListContainersOptionsBuilder::new().filters(&filters).build();
    let listed = limited(query_limit(), "docker ps", engine.list_containers(Some(options))).await?;
    let listed = listed.map_err(|error| refused(&error))?;
    Ok(listed.into_iter().find_map(|container: ContainerSummary| {
        let ports = container.ports?;
        let first = container.host_config.and_then(|config| config.network_mode);
        let networks = container.network_settings.and_then(|settings| settings.networks);
        let endpoint = networks.and_then(|networks| first_of(first.as_deref(), networks));
        let inner = ports.iter().find(|it| it.public_port == Some(port))?.private_port;
        let name = container.names?.into_iter().next()?;
        Some(Found {
            container: name.trim_start_matches('/').to_owned(),
            inner,
            ip: endpoint.and_then(|it| it.ip_address).filter(|ip| !ip.is_empty()),
            service: container.labels?.remove(SERVICE_LABEL).unwrap_or_default(),
            published: ports
                .iter()
                .filter_map(|it| Some((it.private_port, it.public_port?)))
                .collect(),
        })
    }))
}

/// What a container has of the network in which it was started. An engine calls its usual network by
/// several names: Docker says `default` and `bridge`, Podman nothing, or `bridge` and `podman`.
fn first_of<T>(mode: Option<&str>, mut networks: HashMap<String, T>) -> Option<T> {
    match mode.filter(|mode| !["default", "bridge"].contains(mode)) {
        Some(name) => networks.remove(name),
        None => networks.remove("bridge").or_else(|| networks.remove("podman")),
    }
}

/// 403 with these words; the engine has no number of its own for it.
fn is_connected(error: &EngineError) -> bool {
    let words = ["already exists in network", "already connected"]; // Docker's, Podman's
    matches!(
        error,
        EngineError::DockerResponseServerError { message, .. } if words.iter().any(|it| message.contains(it))
    )
}

fn refused(error: &dyn std::fmt::Display) -> Error {
    Error::under(Heading::Docker, "the Docker engine refuses a network for the run").cause(error)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::first_of;

    #[test]
    fn the_usual_network_is_known_by_each_engines_names() {
        let of = |mode, names: &[&'static str]| {
            first_of(mode, HashMap::from_iter(names.iter().map(|name| (name.to_string(), *name))))
        };
        for mode in [None, Some("default"), Some("bridge")] {
            assert_eq!(of(mode, &["bridge", "testenv-1"]), Some("bridge"));
            assert_eq!(of(mode, &["testenv-1", "podman"]), Some("podman"));
        }
        assert_eq!(of(Some("shop"), &["bridge", "shop"]), Some("shop"));
        assert_eq!(of(None, &["shop"]), None);
    }
}
