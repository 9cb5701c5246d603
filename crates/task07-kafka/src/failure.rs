//! What can go wrong between a service and its broker, as types: a caller must be able to tell the cases apart.

use std::time::Duration;

use rdkafka::error::KafkaError;

/// Why a message was not published, or not read.
#[derive(Debug, thiserror::Error)]
pub enum KafkaFailure {
    /// No broker said within the limit that it has the message. It may have it all the same: who publishes again may publish twice.
    #[error("no broker acknowledged the message within {limit:?}")]
    NotAcknowledged {
        /// What the publisher was given.
        limit: Duration,
    },
    /// No message came within the limit.
    #[error("no message came within {limit:?}")]
    Timeout {
        /// What the read was given.
        limit: Duration,
        /// What the client complained of last while it waited: no broker to be reached, say.
        source: Option<KafkaError>,
    },
    /// The client refused: a setting that it does not know, a message too large to send.
    #[error("the Kafka client refused")]
    Client(#[from] KafkaError),
}
