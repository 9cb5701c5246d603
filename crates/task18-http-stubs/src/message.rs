//! What the client is told, what it sends, and what it answers.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, Url};
use serde::{Deserialize, Serialize};

/// Where the API is, and how long the client waits for it.
///
/// Not `Debug`, because it holds a secret.
#[derive(Clone)]
pub struct Settings {
    /// The address of the API, such as `https://pay.example`.
    pub base: Url,
    /// The secret that every request carries.
    pub token: String,
    /// How long to wait before each retry. There are as many retries as delays.
    pub delays: Vec<Duration>,
    /// The longest `Retry-After` that the client obeys.
    pub longest_wait: Duration,
    /// The time for one attempt, from the connection to the last byte of the answer.
    pub attempt_timeout: Duration,
}

impl Settings {
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

/// A payment to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewPayment {
    /// The order that is paid.
    pub order: String,
    /// The amount in cents.
    pub cents: u64,
}

impl NewPayment {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text and a number")
    }
}

/// A payment that was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Payment {
    /// The API's name for the payment.
    pub id: String,
    /// The amount in cents.
    pub cents: u64,
}

/// Why a call failed. After retries, it is why the last attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API answered with a status that is not a success.
    #[error("the payment API answered with status {code}")]
    Status {
        /// The status code, such as 404.
        code: u16,
        /// The header `Retry-After`, if it is a number of seconds.
        retry_after: Option<Duration>,
    },
    /// There was no complete answer: no connection, a connection that broke, or no time left.
    #[error("no answer from the payment API")]
    NoAnswer(#[from] reqwest::Error),
    /// The API reported success with a body that is not the expected JSON.
    #[error("the payment API gave an answer that cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl Failure {
    /// Returns the failure that the status of an answer stands for. `None` is a success.
    pub(crate) fn of_status(response: &Response) -> Option<Failure> {
        let retry_after = response.headers().get(RETRY_AFTER);
        let seconds = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let failure = Failure::Status {
            code: response.status().as_u16(),
            retry_after: seconds.map(Duration::from_secs),
        };
        (!response.status().is_success()).then_some(failure)
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Failure::Status { code, .. } => *code == 429 || *code >= 500,
            // A request that cannot be built was never sent.
            Failure::NoAnswer(error) => !error.is_builder(),
            Failure::Unreadable(_) => false,
        }
    }

    /// Returns how long the API asked the client to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Status { retry_after, .. } => *retry_after,
            Failure::NoAnswer(_) | Failure::Unreadable(_) => None,
        }
    }
}
