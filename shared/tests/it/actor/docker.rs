//! The part that plays with the Docker engine alone.

use std::time::Duration;

use testcontainers_modules::testcontainers::{GenericImage, ImageExt};
use testenv::tools::Run;
use testenv::tools::{self, docker};

use crate::{Held, held, nothing, runtime, say};

pub(crate) fn play(part: &str) -> Option<Held> {
    match part {
        "docker" => drop(runtime().block_on(Run::join().unwrap().once("sleeper", start)).unwrap()),
        "inside" => return held(runtime().block_on(inside())),
        _ => return None,
    }
    nothing()
}

/// A container that only has to be there: what it runs does not matter to who removes it.
async fn start(run: &'static Run) -> Result<String, testenv::Error> {
    let image = docker::resolve(tools::KAFKA.image).await?;
    let request =
        || GenericImage::new(&image.name, &image.tag).with_entrypoint("sleep").with_cmd(["600"]);
    let started = docker::start(run, "sleeper", request, &[], &[], Duration::from_secs(30)).await?;
    Ok(started.id().to_owned())
}

/// A database, and a container that reaches its server; says the container's name and the address.
async fn inside() -> testenv::Db {
    let run = Run::join().unwrap();
    let db = testenv::fresh_db().await;
    let place = db.url().rsplit('@').next().and_then(|place| place.split('/').next()).unwrap();
    let address = docker::inside(run, place).await.unwrap_or_else(|error| panic!("{error}"));
    let client = run.once("sleeper", start).await.unwrap();
    docker::join(run, &client).await.unwrap();
    say(&format!("{client} {address}"));
    db
}
