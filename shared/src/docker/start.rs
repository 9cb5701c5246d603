//! Starts a container, with labels that say to whom it belongs.

use std::collections::HashMap;
use std::fmt::Display;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use testcontainers_modules::testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{
    ContainerAsync, ContainerRequest, Image, ImageExt, TestcontainersError,
};

use super::client::{docker_client_instance, is_missing, limited, query};
use super::{address, here, memory};
use crate::provider::docker_host;
use crate::run::{Owner, Run, ledger};
use crate::{Error, Heading, cure};

/// The label with the run's token.
pub const TOKEN_LABEL: &str = "testenv.run";
/// The label with the machine and the run's directory. With it, a later run can tell whether the
/// run is over.
pub(super) const OWNER_LABEL: &str = "testenv.owner";
/// The label with the id of the container in which the tests run, if they run in one. When that
/// container ends, every process of the run ends.
pub const JOB_LABEL: &str = "testenv.job";
/// The label with the service.
pub(super) const SERVICE_LABEL: &str = "testenv.service";

/// The engine takes a tenth of a second to create a container. Beside twenty others on a slow disk
/// it takes many seconds.
const CREATE_LIMIT: Duration = Duration::from_secs(30);

/// A container that was started for the run. Only the reaper ends it.
pub struct Started<I: Image> {
    // Dropping testcontainers' handle would remove the container under the other processes of the run.
    container: ManuallyDrop<ContainerAsync<I>>,
}

impl<I: Image> Started<I> {
    /// The container's id, for the engine and for [`join`](super::join).
    pub fn id(&self) -> &str {
        self.container.id()
    }

    /// The address of a port of the container, as `host:port`, as this process reaches it.
    ///
    /// # Errors
    ///
    /// When the engine gives an error or no answer.
    pub async fn address(&self, port: ContainerPort) -> Result<String, Error> {
        address::of(self.container.id(), port).await
    }
}

/// Notes that the run creates objects in the engine. [`start`] does this itself. Call it before you
/// create a network or a volume with a client of your own: when the run ends, everything that has
/// the run's token as its [`TOKEN_LABEL`] is removed.
///
/// # Errors
///
/// When the run's directory cannot be written.
pub fn note(run: &Run) -> Result<(), Error> {
    ledger::note(run.dir(), "docker", "engine", &engine_vars())
}

/// Starts a container for `run`, with labels and a name. Its `ports` are bound to loopback if the
/// engine is local. Its `tmpfs` directories are in memory. `request` is asked again if the engine
/// chose a port that somebody has.
///
/// # Errors
///
/// When the engine refuses, or when the server in the container is not ready within `limit`. The
/// message has the last output of the container.
pub async fn start<I: Image>(
    run: &Run,
    service: &'static str,
    request: impl Fn() -> ContainerRequest<I>,
    ports: &'static [ContainerPort],
    tmpfs: &'static [&'static str],
    limit: Duration,
) -> Result<Started<I>, Error> {
    start_with(run, service, request, ports, memory::at(tmpfs), limit).await
}

/// Like [`start`], with the directories in memory that the image names.
pub(crate) async fn start_with<I: Image>(
    run: &Run,
    service: &'static str,
    request: impl Fn() -> ContainerRequest<I>,
    ports: &'static [ContainerPort],
    tmpfs: HashMap<String, String>,
    limit: Duration,
) -> Result<Started<I>, Error> {
    note(run)?;
    let name = name_of(run, service);
    let owner = (OWNER_LABEL, Owner::of(run.dir()).to_string());
    let scope = Scope { name, labels: vec![(TOKEN_LABEL, run.token().to_owned()), owner] };
    launch(scope, service, request, ports, tmpfs, limit).await
}

/// How long another port is tried for. Each try takes half a second.
const PORT_LIMIT: Duration = Duration::from_secs(20);

/// Without force: what runs stays.
const NEVER_RAN: Option<query::RemoveContainerOptions> = None;

/// To whom a container belongs: its name, and the labels by which it is found.
pub(super) struct Scope {
    pub(super) name: String,
    pub(super) labels: Vec<(&'static str, String)>,
}

pub(super) async fn launch<I: Image>(
    scope: Scope,
    service: &'static str,
    request: impl Fn() -> ContainerRequest<I>,
    ports: &'static [ContainerPort],
    tmpfs: HashMap<String, String>,
    limit: Duration,
) -> Result<Started<I>, Error> {
    let not_ready = |cause: &dyn Display| {
        Error::under(Heading::Start, format!("the {service} container did not get ready"))
            .tried(format!("Docker at {}", docker_host()))
            .cause(cause)
            .fix(cure::command("doctor"))
    };
    let engine = docker_client_instance().await.map_err(|cause| not_ready(&cause))?;
    let job = here::job().await?;
    let network = job.and_then(|job| job.network.as_deref());
    // Of a container that is reached over a network of the engine's, nothing has to be published further.
    let published_on = match network {
        Some(_) => address::LOOPBACK,
        None => address::published_on().await,
    };
    let request = || {
        let tmpfs = tmpfs.clone();
        request()
            .with_container_name(&scope.name)
            .with_labels(scope.labels.clone())
            .with_labels(job.map(|job| (JOB_LABEL, &job.id)))
            .with_label(SERVICE_LABEL, service)
            .with_startup_timeout(limit)
            .with_host_config_modifier(move |config| {
                bind(config, ports, tmpfs.clone(), published_on);
                if let Some(network) = network {
                    config.network_mode = Some(network.to_owned());
                }
            })
    };
    // The limit is for the server; the engine has its own time to make the container, and testcontainers
    // waits two minutes for each of its answers.
    let what = format!("the start of the {service} container");
    limited(limit + CREATE_LIMIT, &what, async {
        let since = Instant::now();
        loop {
            match request().start().await {
                Ok(container) => break Ok(Started { container: ManuallyDrop::new(container) }),
                Err(cause) if is_taken(&cause) && since.elapsed() < PORT_LIMIT => {
                    match engine.remove_container(&scope.name, NEVER_RAN).await {
                        Err(cause) if !is_missing(&cause) => break Err(not_ready(&cause)),
                        _ => {}
                    }
                }
                Err(cause) => break Err(not_ready(&cause)),
            }
        }
    })
    .await?
}

/// Whether the engine says that it chose a port that somebody else has. It tries ten in a row, and
/// a container that publishes a range for all of the network can have more.
fn is_taken(said: &TestcontainersError) -> bool {
    let said = said.to_string();
    ["address already in use", "port is already allocated"].iter().any(|it| said.contains(it))
}

/// The name of the run's container for a service.
pub(crate) fn name_of(run: &Run, service: &str) -> String {
    format!("testenv-{}-{service}", run.token())
}

fn bind(
    config: &mut HostConfig,
    ports: &[ContainerPort],
    tmpfs: HashMap<String, String>,
    published_on: &str,
) {
    let binding = || {
        Some(vec![PortBinding {
            host_ip: Some(published_on.to_owned()),
            host_port: Some("0".into()),
        }])
    };
    config.publish_all_ports = Some(false);
    config.port_bindings = Some(ports.iter().map(|port| (port.to_string(), binding())).collect());
    config.tmpfs = Some(tmpfs);
}

/// The variables with which a later sweep reaches the same engine.
fn engine_vars() -> String {
    let vars = ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"].into_iter();
    let set = vars.filter_map(|var| Some(format!("{var}={}\n", std::env::var(var).ok()?)));
    format!("DOCKER_HOST={}\n", docker_host()) + &set.collect::<String>()
}
