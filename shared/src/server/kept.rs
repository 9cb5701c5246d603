//! A server that is kept between runs. It is found again, or started to be kept.
//!
//! A kept server that runs and refuses this run may serve other runs. It is left alone, and the run
//! starts a server of its own.

use std::time::Duration;

use super::container;
use super::served::{Origin, Secrets, Served, Server, address};
use crate::docker::reuse::{Found, Kept};
use crate::provider::announce;
use crate::reuse::REUSE_VAR;
use crate::run::Run;
use crate::{Error, cure, docker, project, wait};

/// A kept server that has no free connection may have one a moment later. A server that hangs is
/// not worth a longer wait.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn start_or_connect<S: Served>(run: &'static Run) -> Result<Server, Error> {
    let name = S::SERVICE.name;
    let image = docker::on_engine(docker::resolve(S::SERVICE.image)).await?;
    let kept = Kept::lock(name, &image, &(S::SETTINGS, project::of(name)?.settings)).await?;
    let container = kept.container();
    let (kept, found) = docker::on_engine(async move {
        let found = kept.find(S::PORT).await;
        (kept, found)
    })
    .await;
    let unusable = match found? {
        Found::Running(place, password) => {
            let address = address::<S>(&password, &place)?;
            let handshake = async || Server::handshake::<S>(address.clone(), Origin::Kept).await;
            match wait::until(HANDSHAKE_LIMIT, "an answer", handshake).await {
                Ok(server) => {
                    kept.used(run).await?;
                    announce(name, &format!("the kept container of {image} ({REUSE_VAR})"));
                    return Ok(server);
                }
                Err(error) => error.to_string(),
            }
        }
        Found::Nothing => {
            announce(name, &format!("a container of {image}, to be kept ({REUSE_VAR})"));
            kept.used(run).await?;
            return start::<S>(kept, &image).await;
        }
        Found::Unusable(why) => why,
    };
    announce(
        name,
        &format!(
            "the kept container {container} cannot be used ({}), so this run starts a server of its own; `{}` stops the kept one",
            unusable.replace('\n', ";"),
            cure::command("reuse stop")
        ),
    );
    container::start_or_connect::<S>(run).await
}

async fn start<S: Served>(kept: Kept, image: &docker::Chosen) -> Result<Server, Error> {
    let secrets = Secrets::new();
    let (host, data) = container::parts::<S>(image).await?;
    let (image, of) = (image.clone(), secrets.clone());
    let (_kept, place) = docker::on_engine(async move {
        let ports = match S::ports().await {
            Ok(ports) => ports,
            Err(error) => return (kept, Err(error)),
        };
        let request = || S::container(&image, &of, host.as_deref());
        let started =
            kept.start(S::SERVICE.name, &of.lasting, request, ports, data, S::START_LIMIT);
        let place = match started.await {
            Ok(started) => started.address(S::PORT).await,
            Err(error) => Err(error),
        };
        (kept, place)
    })
    .await;
    let address = container::made_safe::<S>(&secrets, &place?).await?;
    Server::handshake::<S>(address, Origin::Kept).await
}
