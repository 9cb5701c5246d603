//! Containers that belong to a run: found by label, bound to loopback, removed by the reaper.
//!
//! testcontainers brings the images' configuration and the waiting; the lifecycle is the run's, because a container held by one process must
//! outlive it, and must not outlive the run.
//!
//! Invariant: every container of ours carries the token of its run and its owner; what carries neither is never touched.

use crate::Error;
use crate::run::cleaner::Cleaner;

mod address;
mod client;
mod exec;
mod credentials;
mod here;
mod image;
pub(crate) mod memory;
mod network;
mod reap;
mod start;
pub(crate) mod reuse;

pub(crate) use client::on_engine;
pub use client::runtime;
pub(crate) use exec::execute;
pub use image::{Chosen, resolve};
pub(crate) use network::publisher;
pub use network::{inside, join};
pub(crate) use start::name_of;
pub(crate) use start::start_with;
pub use start::{JOB_LABEL, Started, TOKEN_LABEL, note, start};

/// Containers, networks and volumes with the run's token.
pub(crate) const CLEANER: Cleaner =
    Cleaner { sweep: Some(reap::sweep_orphans), ..Cleaner::new("docker", reap::remove) };

pub(crate) use here::reaches_containers;

/// Whether this process runs in a container of the engine, and reaches others by their own addresses.
///
/// # Errors
///
/// When the engine does not say, or nothing can be reached.
pub(crate) async fn is_among_containers() -> Result<bool, Error> {
    here::job().await.map(|job| job.is_some_and(|job| job.network.is_some()))
}

/// The host at which this process reaches published ports. `None` if it reaches containers by their
/// own addresses, because it runs in one.
///
/// # Errors
///
/// When the engine does not say, or its address names no host.
pub(crate) async fn published_at() -> Result<Option<String>, Error> {
    if is_among_containers().await? {
        return Ok(None);
    }
    address::host().map(Some)
}
