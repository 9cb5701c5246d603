//! Kafka, as data.

use crate::address::{Dialect, Form};
use crate::images;
use crate::service::Service;

/// Apache Kafka.
pub static KAFKA: Service = Service {
    name: "kafka",
    url_var: "TESTENV_KAFKA_BROKERS",
    dialect: Dialect {
        name: "Kafka",
        port: 9092,
        example: "<host>:<port>,<host>:<port>",
        schemes: &["plaintext", "kafka"],
        tls: &["ssl", "sasl_ssl"],
        client_has_tls: false,
        form: Form::Brokers,
    },
    image: &images::KAFKA,
    native: &[],
    places: &[],
    packages: &[],
    clients: &[],
    fetched: None,
    embedded: "librdkafka's mock broker",
};
