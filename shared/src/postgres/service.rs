//! PostgreSQL, as data.

use crate::address::{Dialect, Form};
use crate::images;
use crate::service::{Fetched, Service};

/// PostgreSQL, version 13 or later.
pub static POSTGRES: Service = Service {
    name: "postgres",
    url_var: "TESTENV_POSTGRES_URL",
    dialect: Dialect {
        name: "PostgreSQL",
        port: 5432,
        example: "postgres://<user>:<password>@<host>:<port>/<database>",
        schemes: &["postgres", "postgresql"],
        tls: &[],
        client_has_tls: false,
        form: Form::Postgres,
    },
    image: &images::POSTGRES,
    native: &["initdb", "postgres"],
    // Debian and Ubuntu; PostgreSQL's own packages for Red Hat; Homebrew on its three prefixes.
    places: &[
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
        "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    ],
    packages: &["postgresql"],
    clients: &["PG"],
    fetched: Some(Fetched::ByProgram),
    embedded: "",
};
