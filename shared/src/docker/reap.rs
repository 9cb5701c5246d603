//! Removes what a run left in the engine.

use std::collections::{HashMap, HashSet};

use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::errors::Error as EngineError;
use testcontainers_modules::testcontainers::bollard::models::NetworkDisconnectRequest;
use tokio::task::JoinSet;

use super::client::{RUNTIME, docker_client_instance, query};
use super::here;
use super::start::{JOB_LABEL, OWNER_LABEL, TOKEN_LABEL};
use crate::provider::docker_host;
use crate::run::cleaner::{Fate, Fates, Refused};
use crate::run::{Owner, Runs};
use crate::wait;

/// An engine that is busy with a start takes seconds to kill a container. The promise is 15 s for
/// everything.
const REMOVE_LIMIT: std::time::Duration = std::time::Duration::from_secs(9);

/// How many times in a row nothing of the run must be found before it counts as gone. A request of
/// a killed process can still be running in the engine.
const QUIET_LOOKS: usize = 10;

/// Removes all containers, networks and volumes of the run with this token. Blocks. It is for the
/// reaper.
pub(super) fn remove(token: &str, _engine: &str, _vars: &str) -> Result<(), Refused> {
    if token.is_empty() {
        let why = "the run's token is gone, so its containers cannot be told from others";
        return Err(Refused::Stays(why.into()));
    }
    let filter = format!("{TOKEN_LABEL}={token}");
    RUNTIME.block_on(async {
        let stays = |why: &dyn std::fmt::Display| Refused::Stays(why.to_string());
        let engine = docker_client_instance().await.map_err(|error| stays(&error))?;
        let mut quiet = 0;
        let removed = wait::until(
            REMOVE_LIMIT,
            "the removal of the run's containers, networks and volumes",
            async || {
                let left = remove_labelled(&engine, &filter).await?;
                quiet = if left == 0 { quiet + 1 } else { 0 };
                if quiet >= QUIET_LOOKS { Ok(()) } else { Err(format!("{left} at the last look")) }
            },
        );
        removed.await.map_err(|error| stays(&error))
    })
}

/// Removes the containers and networks of runs that are over and whose notes were deleted with their
/// directory. Returns what became of each. Blocks. It is for the reaper.
pub(super) fn sweep_orphans() -> Fates {
    RUNTIME.block_on(async {
        let away = |error: String| {
            vec![(format!("containers at {}", docker_host()), Fate::Refused(error))]
        };
        let engine = match docker_client_instance().await {
            Ok(engine) => engine,
            Err(error) => return away(error.to_string()),
        };
        let mut filters = HashMap::new();
        filters.insert("label".to_owned(), vec![OWNER_LABEL.to_owned(), TOKEN_LABEL.to_owned()]);
        let owned = match owned(&engine, &filters).await {
            Ok(owned) => owned,
            Err(error) => return away(error.to_string()),
        };
        let jobs: HashSet<&String> = owned.iter().filter_map(|thing| thing.job.as_ref()).collect();
        let mut ended = HashSet::new();
        for job in jobs {
            if here::has_ended(&engine, job).await {
                ended.insert(job.clone());
            }
        }
        let runs = Runs::look();
        let mut removed: HashMap<String, Result<usize, String>> = HashMap::new();
        let mut fates = Vec::new();
        for Owned { owner, token, job, what } in owned {
            let has_ended = job.as_ref().is_some_and(|job| ended.contains(job));
            let is_over =
                runs.is_over(&owner, &token) || has_ended && runs.has_no_directory(&owner, &token);
            let fate = if is_over {
                if !removed.contains_key(&token) {
                    // What refuses is tried again by the next run.
                    let gone = remove_labelled(&engine, &format!("{TOKEN_LABEL}={token}")).await;
                    removed.insert(token.clone(), gone);
                }
                match &removed[&token] {
                    Ok(_) => Fate::Removed,
                    Err(why) => Fate::Refused(why.clone()),
                }
            } else {
                Fate::Left("its run is not provably over".into())
            };
            fates.push((what, fate));
        }
        fates
    })
}

/// A container or a network, and the run that it belongs to.
struct Owned {
    owner: Owner,
    token: String,
    job: Option<String>,
    /// As it is told: what it is, and its name.
    what: String,
}

impl Owned {
    fn of(labels: Option<HashMap<String, String>>, what: String) -> Option<Owned> {
        let mut labels = labels?;
        let owner = Owner::parse(&labels.remove(OWNER_LABEL)?)?;
        Some(Owned {
            owner,
            token: labels.remove(TOKEN_LABEL)?,
            job: labels.remove(JOB_LABEL),
            what,
        })
    }
}

/// The containers and networks that these labels select.
async fn owned(
    engine: &Docker,
    filters: &HashMap<String, Vec<String>>,
) -> Result<Vec<Owned>, EngineError> {
    let options = query::ListContainersOptionsBuilder::new().all(true).filters(filters).build();
    let containers = engine.list_containers(Some(options)).await?.into_iter().map(|container| {
        let name = container.names.unwrap_or_default().concat().replace('/', "");
        Owned::of(container.labels, format!("container {name}"))
    });
    let options = query::ListNetworksOptionsBuilder::new().filters(filters).build();
    let networks = engine.list_networks(Some(options)).await?.into_iter().map(|network| {
        Owned::of(network.labels, format!("network {}", network.name.unwrap_or_default()))
    });
    Ok(containers.chain(networks).flatten().collect())
}

/// Removes everything that has the label. Returns how many objects there were.
async fn remove_labelled(engine: &Docker, label: &str) -> Result<usize, String> {
    let mut filters = HashMap::new();
    filters.insert("label".to_owned(), vec![label.to_owned()]);
    let options = query::ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers =
        engine.list_containers(Some(options)).await.map_err(|error| error.to_string())?;
    at_once(containers.iter().filter_map(|container| container.id.clone()), |id| {
        let engine = engine.clone();
        async move {
            let options = query::RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            engine.remove_container(&id, Some(options)).await
        }
    })
    .await;
    let options = query::ListNetworksOptionsBuilder::new().filters(&filters).build();
    let networks = engine.list_networks(Some(options)).await.map_err(|error| error.to_string())?;
    at_once(networks.iter().filter_map(|network| network.id.clone()), |id| {
        let engine = engine.clone();
        async move {
            // A kept container, which outlives the run, may still be connected.
            for container in connected(&engine, &id).await {
                let request = NetworkDisconnectRequest { container, force: Some(true) };
                engine.disconnect_network(&id, request).await.ok(); // else the network refuses
            }
            engine.remove_network(&id).await
        }
    })
    .await;
    // Named ones: a container takes only its anonymous volumes with it.
    let options = query::ListVolumesOptionsBuilder::new().filters(&filters).build();
    let volumes = engine.list_volumes(Some(options)).await.map_err(|error| error.to_string())?;
    let volumes = volumes.volumes.unwrap_or_default();
    at_once(volumes.iter().map(|volume| volume.name.clone()), |name| {
        let engine = engine.clone();
        async move { engine.remove_volume(&name, None::<query::RemoveVolumeOptions>).await }
    })
    .await;
    Ok(containers.len() + networks.len() + volumes.len())
}

/// The containers that are connected to a network.
async fn connected(engine: &Docker, network: &str) -> Vec<String> {
    let look = engine.inspect_network(network, None::<query::InspectNetworkOptions>).await;
    look.ok().and_then(|network| network.containers).unwrap_or_default().into_keys().collect()
}

/// Removes many objects at the same time. For twenty containers that took 1.7 s instead of 4.4 s
/// one after the other, of the 9 s available.
async fn at_once<R: Future<Output = Result<(), EngineError>> + Send + 'static>(
    things: impl Iterator<Item = String>,
    remove: impl Fn(String) -> R,
) {
    let mut removals: JoinSet<Result<(), EngineError>> = things.map(remove).collect();
    // Refused while somebody else removes it: the next look tells.
    while removals.join_next().await.is_some() {}
}
