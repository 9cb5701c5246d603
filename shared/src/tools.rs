//! What programs need that provide servers, look after runs, or bring a server of their own: `testenv`, the
//! course's, the labs of its lessons. No test needs it.
//!
//! A server that is started once in a run, and ends with it:
//!
//! ```no_run
//! # async fn test() -> Result<(), testenv::Error> {
//! use testenv::tools::Run;
//!
//! let run: &'static Run = Run::join()?;
//! // Of all processes of the run one starts it; the others are told what it returned.
//! let address = run.once("mailer", async |run| {
//!     let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
//!     run.start_native("mailer", "/usr/bin/mailer".as_ref(), &["--port", &port.to_string()])?;
//!     Ok(format!("127.0.0.1:{port}"))
//! });
//! println!("{}; its log: {}/mailer.log", address.await?, run.dir().display());
//! # Ok(()) }
//! ```
//!
//! Several commands can be one run, and a run can live elsewhere, or longer:
//!
//! ```no_run
//! # fn main() -> Result<(), testenv::Error> {
//! use testenv::tools::{DIR_VAR, GRACE_VAR, ID_VAR, hold_open};
//!
//! let guard = hold_open("nightly")?;
//! for tests in [["test", "-p", "one"], ["test", "-p", "other"]] {
//!     let mut cargo = std::process::Command::new("cargo");
//!     cargo.args(tests).env(ID_VAR, "nightly").env(DIR_VAR, "/var/tmp/runs").env(GRACE_VAR, "5000");
//!     assert!(cargo.status().unwrap().success());
//! }
//! drop(guard); // the servers end
//! # Ok(()) }
//! ```

// A run, and what it is told by the environment.
pub use crate::run::{DIR_VAR, GRACE_VAR, ID_VAR, Run, RunGuard, START_VAR, hold_open};

// The services, and where a server of each comes from.
pub use crate::address::Address;
pub use crate::images::Image;
pub use crate::programs::{CACHE_VAR, cache};
pub use crate::provider::{PROVIDER_VAR, REACH_LIMIT, Source, announce, docker_host, ping_docker};
pub use crate::service::*;
pub use crate::temporary::{TMPDIR_VAR, dir as temporary_dir};

/// Containers that end with a run.
///
/// They reach each other over a network of the run: [`docker::inside`] says under which address a container reaches
/// a server, [`docker::join`] connects a container to the network.
///
/// ```no_run
/// # async fn test() -> Result<(), testenv::Error> {
/// use std::time::Duration;
/// use testcontainers_modules::testcontainers::core::{ContainerPort, WaitFor};
/// use testcontainers_modules::testcontainers::{ContainerRequest, GenericImage};
/// use testenv::tools::docker::{self, Started};
/// use testenv::tools::Run;
///
/// const HTTP: ContainerPort = ContainerPort::Tcp(80);
/// let address = Run::join()?.once("nginx", async |run| {
///     let image = GenericImage::new("nginx", "1.27").with_wait_for(WaitFor::message_on_stderr("start worker"));
///     let request = || ContainerRequest::from(image.clone());
///     let started: Started<_> = docker::start(run, "nginx", request, &[HTTP], &[], Duration::from_secs(60)).await?;
///     started.address(HTTP).await
/// });
/// println!("http://{}", address.await?);
/// # Ok(()) }
/// ```
#[cfg(feature = "integration")]
pub mod docker {
    pub use crate::docker::{
        Chosen, JOB_LABEL, Started, TOKEN_LABEL, inside, join, note, resolve, runtime, start,
    };
}

// The machine: what serves, and how to provide what is missing.
#[cfg(feature = "tools")]
mod doctor;
#[cfg(feature = "tools")]
mod engine;
#[cfg(feature = "tools")]
mod images;
#[cfg(feature = "tools")]
mod install;
#[cfg(feature = "tools")]
mod setup;
#[cfg(feature = "tools")]
mod steps;

// What runs left, and what they keep.
#[cfg(feature = "tools")]
mod reuse;
#[cfg(feature = "tools")]
mod sweep;

// What a person reads, and the processes that are started for that person.
#[cfg(feature = "tools")]
pub mod process;
#[cfg(feature = "tools")]
pub mod say;

#[cfg(feature = "tools")]
pub use doctor::doctor;
#[cfg(feature = "tools")]
pub use reuse::{list as reuse_list, stop as reuse_stop};
#[cfg(feature = "tools")]
pub use setup::{BUILD_TOOLS, CargoProgram, Scripted, Setup, Tool};
#[cfg(feature = "tools")]
pub use sweep::sweep;
