//! Which image serves: an override, the pinned one, a pull, the local substitute.

use std::time::Duration;

use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::models::CreateImageInfo;

use super::{Error, docker_client_instance, query};
use crate::images::Image;
use crate::provider::say;

/// A registry that answers sends a first sign within this; where a substitute is at hand, one that does not is not waited for longer.
const FIRST_SIGN: Duration = Duration::from_millis(1500);

/// A layer that sends nothing for this long is stuck.
const STALLED: Duration = Duration::from_secs(30);

/// Returns the name of the image that serves, present in the engine, and why it is this one.
///
/// # Errors
///
/// When no image is there and none can be pulled; the message names the two commands that cure it.
pub async fn resolve(image: &Image) -> Result<(String, &'static str), Error> {
    let engine = docker_client_instance()
        .await
        .map_err(|cause| Error::new("no client for the Docker engine").cause(cause))?;
    let missing = |name: &str| Error::new(format!("no image {name} for {}", image.service));
    if let Some(name) = image.overridden() {
        if is_there(&engine, &name).await {
            return Ok((name, "named by the environment"));
        }
        return match pull(&engine, &name, FIRST_SIGN).await {
            Ok(()) => Ok((name, "named by the environment, pulled")),
            Err(why) => Err(missing(&name)
                .tried(format!("docker pull {name}"))
                .cause(why)
                .fix(format!("correct or unset {}", image.override_var()))),
        };
    }
    let (pinned, local) = (image.pinned(), image.local());
    if is_there(&engine, &pinned).await {
        return Ok((pinned, "the pinned image"));
    }
    let why = match pull(&engine, &pinned, FIRST_SIGN).await {
        Ok(()) => return Ok((pinned, "the pinned image, pulled")),
        Err(why) => why,
    };
    if is_there(&engine, &local).await {
        return Ok((local, "the local substitute; the pinned image could not be pulled"));
    }
    Err(missing(&pinned)
        .tried(format!("docker pull {pinned}: {why}"))
        .tried(format!("local substitute {local}: not built"))
        .fix("cargo course setup")
        .fix(format!("docker pull {pinned}")))
}

async fn is_there(engine: &Docker, name: &str) -> bool {
    engine.inspect_image(name).await.is_ok()
}

async fn pull(engine: &Docker, name: &str, first_sign: Duration) -> Result<(), String> {
    let options = query::CreateImageOptionsBuilder::new().from_image(name).build();
    let mut signs = std::pin::pin!(engine.create_image(Some(options), None, None));
    let mut limit = first_sign;
    let mut said = false;
    loop {
        let next = std::future::poll_fn(|context| {
            futures_core::Stream::poll_next(signs.as_mut(), context)
        });
        match tokio::time::timeout(limit, next).await {
            Err(_) => return Err(format!("no sign from the registry for {limit:?}")),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(Some(Ok(CreateImageInfo { error_detail: Some(error), .. }))) => {
                return Err(error.message.unwrap_or_default());
            }
            Ok(Some(Ok(_))) if !said => {
                say(name, "pulling; this happens once");
                (said, limit) = (true, STALLED);
            }
            Ok(Some(Ok(_))) => {}
        }
    }
}
