//! The engine's client, and how long each of its answers is waited for.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use testcontainers_modules::testcontainers::bollard::errors::Error as EngineError;
use tokio::runtime::Runtime;

pub(super) use testcontainers_modules::testcontainers::bollard::query_parameters as query;
pub(super) use testcontainers_modules::testcontainers::core::client::docker_client_instance;

use crate::Error;
use crate::provider::{PROVIDER_VAR, docker_host};

/// The engine's client keeps connections that die with the runtime that opened them, and a test's runtime
/// lives as long as the test.
pub(super) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a thread and an epoll descriptor can be had")
});

/// The runtime on which the engine's client lives, for a client of your own: one that was made on a test's
/// runtime ends with the test.
///
/// ```no_run
/// let address = testenv::tools::docker::runtime().block_on(async { "what a client on this runtime says" });
/// ```
pub fn runtime() -> &'static Runtime {
    &RUNTIME
}

/// Runs `work` where the engine's client lives; callable from any runtime.
#[cfg(feature = "service")]
pub(crate) async fn on_engine<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    RUNTIME.spawn(work).await.expect("work on the engine is neither cancelled nor panics")
}

/// Waits for an answer of the engine, and no longer than `limit`: an engine can hang in the middle of any request.
pub(crate) async fn limited<T>(
    limit: Duration,
    what: &str,
    request: impl Future<Output = T>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, request).await.map_err(|_| {
        Error::new(format!("the Docker engine at {} hangs", docker_host()))
            .cause(format!("no answer within {limit:?} to: {what}"))
            .fix("docker info, and restart the engine if that hangs too")
            .fix(format!("export {PROVIDER_VAR}=native"))
    })
}

/// A question that the engine answers from memory; a machine under load takes a second.
pub(crate) fn query_limit() -> Duration {
    Duration::from_secs(10)
}

/// Whether the engine says that there is no such thing; any other error says nothing about it.
pub(super) fn is_missing(error: &EngineError) -> bool {
    matches!(error, EngineError::DockerResponseServerError { status_code: 404, .. })
}
