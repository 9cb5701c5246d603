//! The services, as data that every program has, whatever features it was built with.

use crate::address::Dialect;
use crate::images::Image;

#[path = "kafka/service.rs"]
mod kafka;
#[path = "postgres/service.rs"]
mod postgres;
#[path = "redis/service.rs"]
mod redis;
#[path = "s3/service.rs"]
mod s3;
#[path = "proxy/service.rs"]
mod toxiproxy;

pub use kafka::KAFKA;
pub use postgres::POSTGRES;
pub use redis::REDIS;
pub use s3::S3;
pub use toxiproxy::TOXIPROXY;

/// All services, in the order in which the course introduces them.
pub const SERVICES: &[&Service] = &[&POSTGRES, &REDIS, &KAFKA, &S3, &TOXIPROXY];

/// A service that the harness provides.
#[derive(Debug)]
pub struct Service {
    /// The name that users write.
    pub name: &'static str,
    /// The variable with the address of an external server.
    pub url_var: &'static str,
    pub(crate) dialect: Dialect,
    /// The image for Docker.
    pub image: &'static Image,
    /// The programs for running without Docker. Empty if that is not possible.
    pub native: &'static [&'static str],
    /// The directories in which distributions install the programs outside the PATH. `*` stands for
    /// a version.
    pub places: &'static [&'static str],
    /// The packages of Debian that contain the programs.
    pub packages: &'static [&'static str],
    /// How the variables begin that tell a client of this service which server to use.
    pub(crate) clients: &'static [&'static str],
    /// How `testenv setup` provides the programs if there is no engine. `None` if it does not.
    pub fetched: Option<Fetched>,
    /// The substitute in the plain tier. Empty if there is none.
    pub embedded: &'static str,
}

/// How `testenv setup` provides the native programs of a service, without an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The program `fetch-<service>` of this crate fetches them.
    ByProgram,
    /// The recipe of the service's image makes them: `fetch` leaves them in its folder `bin`.
    ByRecipe,
}
