//! Containers that belong to a run: found by label, bound to loopback, removed by the keeper.
//!
//! testcontainers brings the images' configuration and the waiting; the lifecycle is the run's, because a container held by one process must
//! outlive it, and must not outlive the run.
//!
//! A service that the harness does not know, on its own terms:
//!
//! ```no_run
//! # async fn test() -> Result<(), testenv::Error> {
//! use std::time::Duration;
//! use testcontainers_modules::testcontainers::core::{ContainerPort, WaitFor};
//! use testcontainers_modules::testcontainers::{ContainerRequest, GenericImage};
//! use testenv::docker::{self, Started};
//! use testenv::run::Run;
//!
//! const HTTP: ContainerPort = ContainerPort::Tcp(80);
//! let address = Run::join()?.once("nginx", async |run| {
//!     let image = GenericImage::new("nginx", "1.27").with_wait_for(WaitFor::message_on_stderr("start worker"));
//!     let request = ContainerRequest::from(image);
//!     let started: Started<_> = docker::start(run, "nginx", request, &[HTTP], &[], Duration::from_secs(60)).await?;
//!     started.address(HTTP).await
//! });
//! println!("http://{}", address.await?);
//! # Ok(()) }
//! ```
//!
//! What else is made in the engine is removed with the run, if it is noted and labelled:
//!
//! ```no_run
//! # async fn test() -> Result<(), testenv::Error> {
//! use testenv::docker::{self, Chosen, JOB_LABEL, OWNER_LABEL, SERVICE_LABEL, TOKEN_LABEL};
//! use testenv::run::Run;
//!
//! let run = Run::join()?;
//! docker::note(run)?;
//! println!("docker network create --label {TOKEN_LABEL}={} mine", run.token());
//! println!("docker ps --format '{{{{.Label \"{OWNER_LABEL}\"}}}} {{{{.Label \"{SERVICE_LABEL}\"}}}}'");
//! println!("docker ps --filter label={JOB_LABEL}=<id of the container that the tests run in>");
//!
//! let image: Chosen = docker::resolve(&testenv::images::REDIS).await?;
//! println!("{image}: {}", image.why);
//! # Ok(()) }
//! ```
//!
//! Invariant: every container of ours carries the token of its run and its owner; what carries neither is never touched.

use std::collections::HashMap;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::sync::LazyLock;
use std::time::Duration;

use testcontainers_modules::testcontainers::bollard::errors::Error as EngineError;
use testcontainers_modules::testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers_modules::testcontainers::bollard::query_parameters as query;
use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::core::client::docker_client_instance;
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{ContainerAsync, ContainerRequest, Image, ImageExt};
use tokio::runtime::Runtime;

use crate::provider::{PROVIDER_VAR, docker_host, docker_is_local};
use crate::run::{Owner, Run, owned};
use crate::{Error, wait};

mod address;
#[cfg(feature = "postgres")]
mod exec;
mod credentials;
mod here;
mod image;
pub(crate) mod memory;
mod reap;
#[cfg(feature = "postgres")]
pub(crate) mod reuse;

#[cfg(feature = "postgres")]
pub(crate) use exec::execute;
pub use image::{Chosen, resolve};
pub(crate) use reap::{remove_of, sweep_orphans};

/// The label with the run's token.
pub const TOKEN_LABEL: &str = "testenv.run";
/// The label with the machine and the run's directory: by them a later run can tell whether the run is over.
pub const OWNER_LABEL: &str = "testenv.owner";
/// The label with the id of the container that the tests run in, where they run in one: with it ends every process of the run.
pub const JOB_LABEL: &str = "testenv.job";
/// The label with the service.
pub const SERVICE_LABEL: &str = "testenv.service";

/// Making a container takes a tenth of a second; beside twenty others on a slow disk it takes many.
const CREATE_LIMIT: Duration = Duration::from_secs(30);

/// The engine's client keeps connections that die with the runtime that opened them, and a test's runtime lives as long as the test.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a thread and an epoll descriptor can be had")
});

/// A container that was started for the run, and that only the keeper ends.
pub struct Started<I: Image> {
    // Dropping testcontainers' handle would remove the container under the other processes of the run.
    container: ManuallyDrop<ContainerAsync<I>>,
}

impl<I: Image> Started<I> {
    /// The address of a port of the container on this side, as `host:port`.
    ///
    /// # Errors
    ///
    /// When the engine does not tell.
    pub async fn address(&self, port: ContainerPort) -> Result<String, Error> {
        address::of(self.container.id(), port).await
    }
}

/// The runtime on which the engine's client lives, for a client of your own: one that was made on a test's runtime ends with the test.
///
/// ```no_run
/// let address = testenv::docker::runtime().block_on(async { "what a client on this runtime says" });
/// ```
pub fn runtime() -> &'static Runtime {
    &RUNTIME
}

/// Runs `work` where the engine's client lives; callable from any runtime.
#[cfg(any(feature = "kafka", feature = "postgres", feature = "redis"))]
pub(crate) async fn on_engine<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    RUNTIME.spawn(work).await.expect("work on the engine is neither cancelled nor panics")
}

/// Whether this process runs in a container of the engine, and reaches others by their own addresses.
///
/// # Errors
///
/// When the engine does not say, or nothing can be reached.
#[cfg(feature = "kafka")]
pub(crate) async fn is_among_containers() -> Result<bool, Error> {
    here::job().await.map(|job| job.is_some_and(|job| job.network.is_some()))
}

/// Notes that the run makes things in the engine; [`start`] does it itself. Call it before you make a network or a volume with a client of your own: what
/// carries the run's token as its [`TOKEN_LABEL`] is then removed when the run ends.
///
/// # Errors
///
/// When the run's directory cannot be written.
pub fn note(run: &Run) -> Result<(), Error> {
    owned::note(run.dir(), "docker", "engine", &engine_vars())
}

/// Starts a container for `run`: labelled, named, its `ports` bound to loopback where the engine is local, `tmpfs` directories in memory.
///
/// # Errors
///
/// When the engine refuses or the server in it does not get ready within `limit`; the container's last words are in the message.
pub async fn start<I: Image>(
    run: &Run,
    service: &'static str,
    request: ContainerRequest<I>,
    ports: &'static [ContainerPort],
    tmpfs: &'static [&'static str],
    limit: Duration,
) -> Result<Started<I>, Error> {
    start_with(run, service, request, ports, memory::at(tmpfs), limit).await
}

/// The same with directories in memory that the image named.
pub(crate) async fn start_with<I: Image>(
    run: &Run,
    service: &'static str,
    request: ContainerRequest<I>,
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

/// Waits for an answer of the engine, and no longer than `limit`: an engine can hang in the middle of any request.
pub(crate) async fn limited<T>(
    limit: Duration,
    what: &str,
    request: impl Future<Output = T>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, request).await.map_err(|_| {
        Error::new(format!("the Docker engine at {} hangs", docker_host()))
            .cause(format!("no answer within {limit:?} to: {what}"))
            .fix("docker info, and restart the engine if that hangs too")
            .fix(format!("export {PROVIDER_VAR}=native"))
    })
}

/// A question that the engine answers from memory; a machine under load takes a second.
pub(crate) fn query_limit() -> Duration {
    Duration::from_secs(10)
}

/// Whose a container is: its name, and the labels by which it is found.
struct Scope {
    name: String,
    labels: Vec<(&'static str, String)>,
}

async fn launch<I: Image>(
    scope: Scope,
    service: &'static str,
    request: ContainerRequest<I>,
    ports: &'static [ContainerPort],
    tmpfs: HashMap<String, String>,
    limit: Duration,
) -> Result<Started<I>, Error> {
    let job = here::job().await?;
    let network = job.and_then(|job| job.network.as_deref());
    // Of a container that is reached over a network of the engine's, nothing has to be published further.
    let local = docker_is_local() || network.is_some();
    let request = request
        .with_container_name(scope.name)
        .with_labels(scope.labels)
        .with_labels(job.map(|job| (JOB_LABEL, &job.id)))
        .with_label(SERVICE_LABEL, service)
        .with_startup_timeout(limit)
        .with_host_config_modifier(move |config| {
            bind(config, ports, tmpfs.clone(), local);
            if let Some(network) = network {
                config.network_mode = Some(network.to_owned());
            }
        });
    // The limit is for the server; the engine has its own time to make the container, and testcontainers waits two minutes for each of its answers.
    let what = format!("the start of the {service} container");
    match limited(limit + CREATE_LIMIT, &what, request.start()).await? {
        Ok(container) => Ok(Started { container: ManuallyDrop::new(container) }),
        Err(cause) => Err(Error::new(format!("the {service} container did not get ready"))
            .tried(format!("Docker at {}", docker_host()))
            .cause(cause)
            .fix(crate::cure::command("doctor"))),
    }
}

/// The name of the run's container of a service.
pub(crate) fn name_of(run: &Run, service: &str) -> String {
    format!("testenv-{}-{service}", run.token())
}

/// Whether the engine says that there is no such thing; any other error says nothing about it.
fn is_missing(error: &EngineError) -> bool {
    matches!(error, EngineError::DockerResponseServerError { status_code: 404, .. })
}

fn bind(
    config: &mut HostConfig,
    ports: &[ContainerPort],
    tmpfs: HashMap<String, String>,
    local: bool,
) {
    if local {
        let binding = || {
            Some(vec![PortBinding {
                host_ip: Some("127.0.0.1".into()),
                host_port: Some("0".into()),
            }])
        };
        config.publish_all_ports = Some(false);
        config.port_bindings =
            Some(ports.iter().map(|port| (port.to_string(), binding())).collect());
    }
    config.tmpfs = Some(tmpfs);
}

/// What a later sweep needs to reach the same engine.
fn engine_vars() -> String {
    let vars = ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"].into_iter();
    let set = vars.filter_map(|var| Some(format!("{var}={}\n", std::env::var(var).ok()?)));
    format!("DOCKER_HOST={}\n", docker_host()) + &set.collect::<String>()
}
