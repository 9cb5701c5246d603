//! Chooses the image of a service: an override, the pinned image, a pull, or the local substitute.

use std::fmt;
use std::time::Duration;

use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::auth::DockerCredentials;
use testcontainers_modules::testcontainers::bollard::errors::Error as EngineError;
use testcontainers_modules::testcontainers::bollard::models::CreateImageInfo;

use super::client::{docker_client_instance, limited, query, query_limit};
use super::credentials;
use crate::images::Image;
use crate::project::{self, Override};
use crate::provider::announce;
use crate::{Error, Heading};

/// A registry that answers sends its first data within this time. If a substitute is at hand, we
/// wait no longer.
const FIRST_SIGN: Duration = Duration::from_millis(1500);

/// A layer that sends nothing for this long is stuck.
const STALLED: Duration = Duration::from_secs(30);

/// The other processes of the run wait five minutes for the server. A layer that still arrives may
/// take a little longer.
const PULL_LIMIT: Duration = Duration::from_mins(10);

/// The chosen image. It is present in the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The repository. If a digest names the image, with the algorithm: `postgres@sha256`.
    pub name: String,
    /// The tag (`latest` if the user named none), or the digest.
    pub tag: String,
    /// Why this image was chosen.
    pub why: String,
}

impl Chosen {
    fn new(image: &str, why: &str) -> Chosen {
        // The colon of `host:5000/name` is not a tag's. The last one of `name:tag@sha256:digest` is the digest's: put together, the parts name the same image.
        let (name, tag) = match image.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (image, "latest"),
        };
        Chosen { name: name.to_owned(), tag: tag.to_owned(), why: why.to_owned() }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

/// Returns the chosen image. Pulls the image if it is not there.
///
/// # Errors
///
/// When no image is there and none can be pulled. The message names the commands that cure it.
pub async fn resolve(image: &Image) -> Result<Chosen, Error> {
    let engine = docker_client_instance().await.map_err(|cause| {
        Error::under(Heading::Harness, "no client for the Docker engine").cause(cause)
    })?;
    match project::image_for(image) {
        Some(named) => overridden(&engine, image, &named).await,
        None => pinned_or_local(&engine, image).await,
    }
}

async fn overridden(engine: &Docker, image: &Image, named: &Override) -> Result<Chosen, Error> {
    let chosen = Chosen::new(&named.name, &format!("named by {}", named.place));
    let full = chosen.to_string();
    if is_there(engine, &full).await? {
        return Ok(chosen);
    }
    match pull(engine, &full).await {
        Ok(()) => Ok(chosen),
        Err(why) => Err(missing(image, &full, &why).fix(&named.cure)),
    }
}

async fn pinned_or_local(engine: &Docker, image: &Image) -> Result<Chosen, Error> {
    let (pinned, local) = (image.pinned(), image.local());
    if is_there(engine, &pinned).await? {
        return Ok(Chosen::new(&pinned, "the pinned image"));
    }
    let why = match pull(engine, &pinned).await {
        Ok(()) => return Ok(Chosen::new(&pinned, "the pinned image, pulled")),
        Err(why) => why,
    };
    if is_there(engine, &local).await? {
        return Ok(Chosen::new(&local, "the local substitute; the pinned image cannot be pulled"));
    }
    Err(missing(image, &pinned, &why)
        .tried(format!("local substitute {local}: not built"))
        .fix(crate::cure::command("setup"))
        .fix(format!("docker pull {pinned}")))
}

fn missing(image: &Image, name: &str, why: &str) -> Error {
    Error::under(Heading::Image, format!("no image {name} for {}", image.service))
        .tried(format!("docker pull {name}: {why}"))
}

/// Whether the image is there. Only the engine's own answer counts as no: any other error is no
/// reason to pull.
async fn is_there(engine: &Docker, name: &str) -> Result<bool, Error> {
    let what = format!("whether the image {name} is there");
    match limited(query_limit(), &what, engine.inspect_image(name)).await? {
        Ok(_) => Ok(true),
        // It is asked about a name that it takes for none, too.
        Err(EngineError::DockerResponseServerError { status_code: 400 | 404, .. }) => Ok(false),
        Err(error) => {
            Err(Error::under(Heading::Docker, format!("the Docker engine does not say {what}"))
                .cause(error)
                .fix(crate::cure::command("doctor")))
        }
    }
}

async fn pull(engine: &Docker, name: &str) -> Result<(), String> {
    let (login, refused) = match credentials::of(name).await {
        Ok(login) => (login, String::new()),
        // The image may be anybody's to pull.
        Err(why) => (None, format!(" (without credentials: {why})")),
    };
    match tokio::time::timeout(PULL_LIMIT, pull_as(engine, name, login)).await {
        Ok(done) => done.map_err(|why| why + &refused),
        Err(_) => {
            Err(format!("not done within {PULL_LIMIT:?}; on a slow line, pull it by hand first"))
        }
    }
}

async fn pull_as(
    engine: &Docker,
    name: &str,
    login: Option<DockerCredentials>,
) -> Result<(), String> {
    let options = query::CreateImageOptionsBuilder::new().from_image(name).build();
    let mut signs = std::pin::pin!(engine.create_image(Some(options), None, login));
    let mut limit = FIRST_SIGN;
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
                announce(name, "pulling; this happens once");
                (said, limit) = (true, STALLED);
            }
            Ok(Some(Ok(_))) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Chosen;

    #[test]
    fn a_registrys_port_is_not_taken_for_a_tag() {
        assert_eq!(Chosen::new("host:5000/kafka", "").to_string(), "host:5000/kafka:latest");
        assert_eq!(Chosen::new("host:5000/kafka:1", "").to_string(), "host:5000/kafka:1");
        assert_eq!(Chosen::new("kafka", "").to_string(), "kafka:latest");
    }

    #[test]
    fn a_digest_names_the_image_whatever_stands_before_it() {
        for name in
            ["kafka@sha256:0a1b", "kafka:3.9@sha256:0a1b", "host:5000/a/kafka:3@sha256:0a1b"]
        {
            assert_eq!(Chosen::new(name, "").to_string(), name);
        }
    }
}
