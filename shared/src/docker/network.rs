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
use super::start::{JOB_LABEL, OWNER_LABEL, TOKEN_LABEL, note};
use super::{here, on_engine};
use crate::Error;
use crate::provider::PROVIDER_VAR;
use crate::reuse;
use crate::run::{Owner, Run};

/// The usual cause of a refusal.
const TOO_MANY: &str = "remove networks that nobody uses (docker network ls): an engine has addresses for about thirty";

/// The address of one of our servers as the run's other containers reach it, from its address as
/// this process reaches it. Both are `host:port`.
///
/// The containers that use the address must have [joined](join) the run's network.
///
/// # Errors
///
/// When no container of ours is at the address, or the engine refuses.
pub async fn inside(run: &'static Run, address: &str) -> Result<String, Error> {
    let unknown = |cause: &str| {
        Error::new(format!("no container can reach a server at {address}")).cause(cause)
    };
    if here::job().await?.is_some_and(|job| job.network.is_some()) {
        // The tests and the run's containers are on one network already.
        return Ok(address.to_owned());
    }
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let port: u16 = port.ok_or_else(|| unknown("it is no host:port"))?;
    // Of this run, or kept by this user on this machine: no other one is changed.
    let of_run = format!("{TOKEN_LABEL}={}", run.token());
    let kept = format!("{}={}", reuse::OWNER_LABEL, reuse::owner()?);
    let found = on_engine(async move {
        match container_at(&of_run, port).await? {
            Some(found) => Ok(Some(found)),
            None => container_at(&kept, port).await,
        }
    });
    let Some((container, inner)) = found.await? else {
        return Err(unknown("no container of this run, and no kept one, publishes the port")
            .fix(format!("export {PROVIDER_VAR}=docker")));
    };
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
        made.await?.map_err(|error| refused(&error).fix(TOO_MANY))?;
        Ok(name)
    })
    .await
}

/// The name of the container with this label that publishes `port`, and its own port.
async fn container_at(label: &str, port: u16) -> Result<Option<(String, u16)>, Error> {
    let engine = docker_client_instance().await.map_err(|error| refused(&error))?;
    let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
    let options = query::ListContainersOptionsBuilder::new().filters(&filters).build();
    let listed = limited(query_limit(), "docker ps", engine.list_containers(Some(options))).await?;
    let listed = listed.map_err(|error| refused(&error))?;
    Ok(listed.into_iter().find_map(|container: ContainerSummary| {
        let published = container.ports?.into_iter().find(|it| it.public_port == Some(port))?;
        let name = container.names?.into_iter().next()?;
        Some((name.trim_start_matches('/').to_owned(), published.private_port))
    }))
}

/// 403 with these words; the engine has no number of its own for it.
fn is_connected(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::DockerResponseServerError { message, .. } if message.contains("already exists in network")
    )
}

fn refused(error: &dyn std::fmt::Display) -> Error {
    Error::new("the Docker engine refuses a network for the run").cause(error)
}
