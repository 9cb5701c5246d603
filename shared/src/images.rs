//! Every image that the harness runs, pinned; nowhere else is a tag written.
//!
//! Invariant: a run uses one image of a kind, and says which. This file's digest is the key under which CI caches the images.

use std::env;

/// A server's image: what is pulled where a registry answers, and the name of the substitute that is built where none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// The service as users write it: `kafka`. Also the folder of the substitute's recipe below `shared/images/`.
    pub service: &'static str,
    /// The repository: on Docker Hub, unless the name begins with another registry.
    pub name: &'static str,
    /// The pinned tag.
    pub tag: &'static str,
    /// The substitute's tag: the version where the recipe fetches a version, `distribution` where it takes the distribution's.
    pub local_tag: &'static str,
}

/// PostgreSQL on Debian: the alpine image compares texts by another C library, so that an index made in one is wrong in the other.
pub(crate) const POSTGRES: Image =
    Image { service: "postgres", name: "postgres", tag: "17.5", local_tag: "distribution" };

/// Redis.
pub(crate) const REDIS: Image =
    Image { service: "redis", name: "redis", tag: "7.4.2", local_tag: "distribution" };

/// Apache Kafka with a JVM: the `-native` image starts sooner, but has no substitute that can be built from packages.
pub(crate) const KAFKA: Image =
    Image { service: "kafka", name: "apache/kafka", tag: "3.9.1", local_tag: "3.9.1" };

/// LocalStack: of all that it serves, S3.
pub(crate) const S3: Image =
    Image { service: "s3", name: "localstack/localstack", tag: "4.12.0", local_tag: "4.12.0" };

/// Toxiproxy.
pub(crate) const TOXIPROXY: Image = Image {
    service: "toxiproxy",
    name: "ghcr.io/shopify/toxiproxy",
    tag: "2.12.0",
    local_tag: "2.12.0",
};

/// A prefix for a mirror of Docker Hub, such as `mirror.example/hub`; the Java library's variable is honoured after ours.
pub(crate) const HUB_PREFIX_VARS: [&str; 2] =
    ["TESTENV_HUB_PREFIX", "TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX"];

impl Image {
    /// The pinned image as `docker pull` takes it, with the mirror's prefix where one is set.
    pub fn pinned(&self) -> String {
        self.tagged(self.tag)
    }

    pub(crate) fn tagged(&self, tag: &str) -> String {
        // A mirror of Docker Hub has nothing of another registry.
        let prefixes = if self.is_on_hub() { &HUB_PREFIX_VARS[..] } else { &[] };
        let prefix = prefixes.iter().find_map(|var| set(var)).unwrap_or_default();
        let separator = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        format!("{prefix}{separator}{}:{tag}", self.name)
    }

    /// Whether the name begins with no registry's host, which has a dot or a port.
    fn is_on_hub(&self) -> bool {
        !self.name.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']))
    }

    /// The substitute that `testenv setup` builds from ordinary packages where no registry answers.
    pub fn local(&self) -> String {
        format!("testenv.local/{}:{}", self.service, self.local_tag)
    }

    /// The variable that names another image to use in its place.
    pub fn override_var(&self) -> String {
        format!("TESTENV_{}_IMAGE", self.service.to_uppercase())
    }
}

pub(crate) fn set(var: &str) -> Option<String> {
    env::var(var).ok().filter(|value| !value.is_empty())
}
