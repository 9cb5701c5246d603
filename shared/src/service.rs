//! The services, as data: what every program knows of them, whatever it was built with.

use crate::address::Dialect;
use crate::images::Image;

#[path = "kafka/service.rs"]
mod kafka;
#[path = "postgres/service.rs"]
mod postgres;
#[path = "redis/service.rs"]
mod redis;

pub use kafka::KAFKA;
pub use postgres::POSTGRES;
pub use redis::REDIS;

/// All of them, in the order in which the course meets them.
pub const ALL: &[&Service] = &[&POSTGRES, &REDIS, &KAFKA];

/// A service that the harness can hand out.
#[derive(Debug)]
pub struct Service {
    /// As users write it.
    pub name: &'static str,
    /// The variable with the address of a server that somebody else runs.
    pub url_var: &'static str,
    pub(crate) dialect: Dialect,
    /// The image for Docker.
    pub image: &'static Image,
    /// The programs of the native way; none where there is no native way.
    pub native: &'static [&'static str],
    /// Where distributions have them beside the PATH; `*` stands for a version.
    pub places: &'static [&'static str],
    /// Whether `testenv setup` fetches them where there is no engine.
    pub fetched: bool,
    /// What stands in for it in the plain tier; empty where nothing does.
    pub embedded: &'static str,
}
