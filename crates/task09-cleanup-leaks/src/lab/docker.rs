//! The lab in a Docker engine: containers, networks and volumes. All of them have the token of the
//! harness's run.

use std::collections::HashMap;
use std::time::Duration;

use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::models::{
    ContainerSummaryStateEnum, NetworkCreateRequest, VolumeCreateRequest,
};
use testcontainers_modules::testcontainers::bollard::query_parameters as query;
use testcontainers_modules::testcontainers::core::Mount;
use testcontainers_modules::testcontainers::core::client::docker_client_instance;
use testcontainers_modules::testcontainers::{GenericImage, ImageExt};
use testenv::tools::Run;
use testenv::tools::announce;
use testenv::tools::docker::{self, TOKEN_LABEL};
use testenv::{Error, tools};

use super::{Kind, Thing};

/// The label that says whose a thing is.
const SUITE_LABEL: &str = "lab.suite";
/// The label by which the lab knows a thing as its own; the engine's names of containers are the harness's.
const NAME_LABEL: &str = "lab.name";

/// Starting takes half a second; a machine that is busy with a build takes several.
const START_LIMIT: Duration = Duration::from_secs(60);

pub(super) struct Engine {
    run: &'static Run,
    client: Docker,
    image: String,
}

impl Engine {
    pub(super) fn open(run: &'static Run) -> Result<Engine, Error> {
        docker::note(run)?;
        wait_for(async move || {
            // Which image serves can take a second to find out, so a run does it once.
            let image = run.once("lab-image", async |_| {
                let image = docker::resolve(tools::REDIS.image).await?;
                announce(
                    "lab",
                    &format!("containers of {image} ({}), networks and volumes", image.why),
                );
                Ok(image.to_string())
            });
            let client = docker_client_instance().await.map_err(|cause| {
                Error::new("no client for the Docker engine")
                    .cause(cause)
                    .fix("cargo course doctor")
            });
            Ok(Engine { run, image: image.await?, client: client? })
        })
    }

    pub(super) fn things(&self) -> Result<Vec<Thing>, Error> {
        let client = self.client.clone();
        let filters = HashMap::from([(
            "label".to_owned(),
            vec![format!("{TOKEN_LABEL}={}", self.run.token()), NAME_LABEL.to_owned()],
        )]);
        let listed = wait_for(async move || {
            let networks = query::ListNetworksOptionsBuilder::new().filters(&filters).build();
            let networks = client.list_networks(Some(networks)).await?;
            let volumes = query::ListVolumesOptionsBuilder::new().filters(&filters).build();
            let volumes = client.list_volumes(Some(volumes)).await?.volumes.unwrap_or_default();
            let servers =
                query::ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
            let servers = client.list_containers(Some(servers)).await?;
            Ok((networks, volumes, servers))
        });
        let (networks, volumes, servers) =
            listed.map_err(|cause: ClientError| unanswered(&cause))?;
        let networks = networks
            .into_iter()
            .filter_map(|network| thing(Kind::Network, network.labels?, false, network.id?));
        let volumes = volumes
            .into_iter()
            .filter_map(|volume| thing(Kind::Volume, volume.labels, false, volume.name));
        let servers = servers.into_iter().filter_map(|server| {
            let is_running = server.state == Some(ContainerSummaryStateEnum::RUNNING);
            thing(Kind::Server, server.labels?, is_running, server.id?)
        });
        Ok(networks.chain(volumes).chain(servers).collect())
    }

    pub(super) fn make(
        &self,
        kind: Kind,
        name: &str,
        label: Option<&str>,
        uses: &[String],
    ) -> Result<(), Error> {
        let mut labels = HashMap::from([(NAME_LABEL.to_owned(), name.to_owned())]);
        labels.extend(label.map(|label| (SUITE_LABEL.to_owned(), label.to_owned())));
        let (client, name, run) = (self.client.clone(), name.to_owned(), self.run);
        if kind == Kind::Server {
            let (repository, tag) = self.image.rsplit_once(':').expect("a chosen image has a tag");
            let [network, volume] = uses else { unreachable!("a suite's server uses one of each") };
            let request = GenericImage::new(repository, tag)
                // A server that serves nobody: what matters is that it is there.
                .with_cmd(["redis-server", "--save", ""])
                .with_network(network)
                // Where the image has a volume, so that it gets no anonymous one.
                .with_mount(Mount::volume_mount(volume, "/data"))
                .with_labels(labels);
            // The process of a suite lives for a second, and makes two.
            let service: &'static str = name.leak();
            let start =
                async move || docker::start(run, service, request, &[], &[], START_LIMIT).await;
            return wait_for(start).map(drop);
        }
        labels.insert(TOKEN_LABEL.to_owned(), self.run.token().to_owned());
        let made = wait_for(async move || {
            if kind == Kind::Network {
                let labels = Some(labels);
                let request = NetworkCreateRequest { name, labels, ..Default::default() };
                client.create_network(request).await.map(drop)
            } else {
                let (name, labels) = (Some(name), Some(labels));
                let request = VolumeCreateRequest { name, labels, ..Default::default() };
                client.create_volume(request).await.map(drop)
            }
        });
        made.map_err(|cause| {
            unanswered(&cause).fix("docker network prune, if it is addresses that are missing: an engine has them for thirty networks")
        })
    }

    pub(super) fn stop(&self, thing: &Thing) -> Result<(), String> {
        let (client, id) = (self.client.clone(), thing.id.clone());
        // Not `stop`: it would wait ten seconds for a process that does not listen to SIGTERM.
        let now = None::<query::KillContainerOptions>;
        wait_for(async move || client.kill_container(&id, now).await).map_err(|why| why.to_string())
    }

    pub(super) fn remove(&self, thing: &Thing) -> Result<(), String> {
        let (client, id, kind) = (self.client.clone(), thing.id.clone(), thing.kind);
        let removed = wait_for(async move || match kind {
            Kind::Server => {
                let by_force = query::RemoveContainerOptionsBuilder::new().force(true).build();
                client.remove_container(&id, Some(by_force)).await
            }
            Kind::Network => client.remove_network(&id).await,
            Kind::Volume => client.remove_volume(&id, None::<query::RemoveVolumeOptions>).await,
        });
        removed.map_err(|why| why.to_string())
    }
}

type ClientError = testcontainers_modules::testcontainers::bollard::errors::Error;

fn thing(
    kind: Kind,
    mut labels: HashMap<String, String>,
    is_running: bool,
    id: String,
) -> Option<Thing> {
    let name = labels.remove(NAME_LABEL)?;
    Some(Thing { kind, name, label: labels.remove(SUITE_LABEL), is_running, id })
}

/// Waits for the engine on a thread that may be a test's, with or without a runtime of its own.
fn wait_for<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let waiting = std::thread::spawn(|| docker::runtime().block_on(work()));
    waiting.join().expect("work on the engine does not panic")
}

fn unanswered(cause: &ClientError) -> Error {
    Error::new("the Docker engine did not do what the lab asked for")
        .cause(cause)
        .fix("cargo course doctor")
}
