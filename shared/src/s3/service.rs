//! S3, as data.

use crate::address::{Dialect, Form};
use crate::images;
use crate::service::Service;

/// An object store that speaks S3: LocalStack, or any other one.
pub static S3: Service = Service {
    name: "s3",
    url_var: "TESTENV_S3_ENDPOINT",
    dialect: Dialect {
        name: "S3",
        port: 80,
        example: "http://<host>:<port>",
        schemes: &["http"],
        tls: &["https"],
        client_has_tls: true,
        form: Form::Http,
    },
    image: &images::S3,
    native: &[],
    places: &[],
    packages: &[],
    clients: &["AWS_"],
    fetched: None,
    embedded: "s3s, in memory",
};
