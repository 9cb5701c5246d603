//! A server in a container of the run.

use super::served::{Data, Origin, Secrets, Served, Server, address};
use crate::Error;
use crate::address::Address;
use crate::docker::{self, Chosen, memory};
use crate::provider::announce;
use crate::run::Run;

pub(super) async fn start_or_connect<S: Served>(run: &'static Run) -> Result<Server, Error> {
    let (name, secrets) = (S::SERVICE.name, Secrets::new());
    let image = docker::on_engine(docker::resolve(S::SERVICE.image)).await?;
    let unset = format!("{} is not set", S::SERVICE.url_var);
    announce(name, &format!("a container of {image} ({}; {unset})", image.why));
    let (host, data) = parts::<S>(&image).await?;
    let of = secrets.clone();
    let place = docker::on_engine(async move {
        let request = || S::container(&image, &of, host.as_deref());
        let started =
            docker::start_with(run, name, request, S::ports().await?, data, S::START_LIMIT).await?;
        started.address(S::PORT).await
    });
    let address = made_safe::<S>(&secrets, &place.await?).await?;
    Server::handshake::<S>(address, Origin::Owned).await
}

/// What a container's start needs to know: the host at which its clients reach it, and the
/// directories in memory.
pub(super) async fn parts<S: Served>(
    image: &Chosen,
) -> Result<(Option<String>, memory::Mounts), Error> {
    let image = image.clone();
    docker::on_engine(async move {
        let data = match S::DATA {
            Data::OfTheImage { var, usual } => memory::of(&image, var, usual).await?,
            Data::At(dirs) => memory::at(dirs),
        };
        Ok((docker::published_at().await?, data))
    })
    .await
}

/// The address of a started server. Before that, makes the server accept the lasting password and
/// no other.
pub(super) async fn made_safe<S: Served>(secrets: &Secrets, place: &str) -> Result<Address, Error> {
    S::secure(secrets, place).await?;
    address::<S>(&secrets.lasting, place)
}
