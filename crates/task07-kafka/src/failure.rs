//! What can go wrong between a service and its broker, as types, so that callers can tell the cases
//! apart.

use std::time::Duration;

use rdkafka::error::KafkaError;

/// Why a message was not published, or not read.
#[derive(Debug, thiserror::Error)]
pub enum KafkaFailure {
    /// No broker acknowledged the message within the limit. The broker may have stored the message
    /// all the same, so a second `publish` may publish it twice.
    #[error("no broker acknowledged the message within {limit:?}")]
    NotAcknowledged {
        /// The limit that the publisher was given.
        limit: Duration,
    },
    /// No message came within the limit.
    #[error("no message came within {limit:?}")]
    Timeout {
        /// The limit that the read was given.
        limit: Duration,
        /// The client's last complaint while it waited, for example that no broker can be reached.
        source: Option<KafkaError>,
    },
    /// The client refused, for example an unknown setting or a message that is too large.
    #[error("the Kafka client refused")]
    Client(#[from] KafkaError),
}
