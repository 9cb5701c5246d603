//! Redis, as data.

use crate::address::{Dialect, Form};
use crate::images;
use crate::service::Service;

/// Redis, version 6 or later.
pub static REDIS: Service = Service {
    name: "redis",
    url_var: "TESTENV_REDIS_URL",
    dialect: Dialect {
        name: "Redis",
        port: 6379,
        example: "redis://<user>:<password>@<host>:<port>",
        schemes: &["redis", "valkey", "redis+unix", "valkey+unix", "unix"],
        tls: &["rediss", "valkeys"],
        client_has_tls: true,
        form: Form::Redis,
    },
    image: &images::REDIS,
    native: &["redis-server"],
    // Beside a PATH that was emptied: Debian's package; one's own build, or Homebrew on Intel; Homebrew.
    places: &["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"],
    packages: &["redis-server"],
    clients: &["REDISCLI_"],
    fetched: None,
    embedded: "",
};
