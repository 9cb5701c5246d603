//! The part that plays with the Docker engine alone.

use std::time::Duration;

use testcontainers_modules::testcontainers::{GenericImage, ImageExt};
use testenv::tools::Run;
use testenv::tools::{self, docker};

use crate::{Held, nothing, runtime};

pub(crate) fn play(part: &str) -> Option<Held> {
    if part != "docker" {
        return None;
    }
    runtime().block_on(Run::join().unwrap().once("sleeper", start)).unwrap();
    nothing()
}

/// A container that only has to be there: what it runs does not matter to who removes it.
async fn start(run: &'static Run) -> Result<String, testenv::Error> {
    let image = docker::resolve(tools::KAFKA.image).await?;
    let request =
        GenericImage::new(image.name, image.tag).with_entrypoint("sleep").with_cmd(["600"]);
    docker::start(run, "sleeper", request, &[], &[], Duration::from_secs(30)).await?;
    Ok(String::new())
}
