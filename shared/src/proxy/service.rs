//! Toxiproxy, as data.

use crate::address::{Dialect, Form};
use crate::images;
use crate::service::{Fetched, Service};

/// Toxiproxy, from version 2.2 on.
pub static TOXIPROXY: Service = Service {
    name: "toxiproxy",
    url_var: "TESTENV_TOXIPROXY_URL",
    dialect: Dialect {
        name: "Toxiproxy",
        port: 8474,
        example: "http://<host>:<port>",
        schemes: &["http"],
        tls: &["https"],
        client_has_tls: false,
        form: Form::Http,
    },
    image: &images::TOXIPROXY,
    native: &["toxiproxy-server"],
    // Beside a PATH that was emptied: one's own build, or Homebrew on Intel; Homebrew.
    places: &["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"],
    // No distribution has one.
    packages: &[],
    clients: &[],
    fetched: Some(Fetched::ByRecipe),
    embedded: "a proxy in the test's process",
};
