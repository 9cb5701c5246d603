//! The client of the SDK.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, Config, Credentials, Region, SharedHttpClient};

/// What a client signs its requests with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) region: String,
    pub(super) key: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

/// What a server of ours takes. LocalStack takes anything, and this is usual.
pub(super) const OURS: &str = "test";

/// The region of a server of ours, and of a client that names none.
pub(super) const REGION: &str = "us-east-1";

impl Identity {
    /// Of a client of a server that we started.
    pub(super) fn ours() -> Identity {
        let ours = || OURS.to_owned();
        Identity { region: REGION.to_owned(), key: ours(), secret: ours(), token: None }
    }
}

/// A client for one runtime: its connections end with the runtime on which they were opened.
pub(super) fn client(endpoint: &str, identity: &Identity) -> Client {
    Client::from_conf(config(endpoint, identity).build())
}

/// A client that waits no longer than this for a request, with its repetitions.
pub(super) fn impatient(endpoint: &str, identity: &Identity, limit: Duration) -> Client {
    let limits = TimeoutConfig::builder().operation_timeout(limit).build();
    Client::from_conf(config(endpoint, identity).timeout_config(limits).build())
}

/// Without a proxy from the environment, and with the certificates that this machine trusts.
fn http_client() -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    #[cfg(feature = "tls")]
    {
        use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
        builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
    }
    #[cfg(not(feature = "tls"))]
    builder.build_http()
}

fn config(endpoint: &str, identity: &Identity) -> Builder {
    let Identity { region, key, secret, token } = identity.clone();
    Config::builder()
        .credentials_provider(Credentials::new(key, secret, token, None, "testenv"))
        .region(Region::new(region))
        .endpoint_url(endpoint)
        // A bucket's name before the host would need a name server that knows it.
        .force_path_style(true)
        .http_client(http_client())
}
