//! The engine's client, and how long we wait for each answer.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use testcontainers_modules::testcontainers::bollard::errors::Error as EngineError;
use tokio::runtime::Runtime;

pub(super) use testcontainers_modules::testcontainers::bollard::query_parameters as query;
pub(super) use testcontainers_modules::testcontainers::core::client::docker_client_instance;

use crate::provider::{PROVIDER_VAR, docker_host, serve_ssh};
use crate::{Error, Heading};

/// The runtime of the engine's client. The client keeps connections that die with the runtime that
/// opened them, and a test's runtime ends with the test.
pub(super) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    serve_ssh();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a thread and an epoll descriptor can be had")
});

/// The runtime on which the engine's client lives. Use it for a client of your own: a client that
/// was made on a test's runtime ends with the test.
///
/// ```no_run
/// let address = testenv::tools::docker::runtime().block_on(async { "what a client on this runtime says" });
/// ```
pub fn runtime() -> &'static Runtime {
    &RUNTIME
}

/// Runs `work` on the runtime of the engine's client. It can be called from any runtime.
pub(crate) async fn on_engine<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    RUNTIME.spawn(work).await.expect("work on the engine is neither cancelled nor panics")
}

/// Waits at most `limit` for an answer of the engine. An engine can hang in the middle of any
/// request.
pub(crate) async fn limited<T>(
    limit: Duration,
    what: &str,
    request: impl Future<Output = T>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, request).await.map_err(|_| {
        Error::under(Heading::Docker, format!("the Docker engine at {} hangs", docker_host()))
            .cause(format!("no answer within {limit:?} to: {what}"))
            .fix("docker info, and restart the engine if that hangs too")
            .fix(format!("export {PROVIDER_VAR}=native"))
    })
}

/// The limit for a question that the engine answers from memory. A machine under load takes a
/// second.
pub(crate) fn query_limit() -> Duration {
    Duration::from_secs(10)
}

/// Whether the engine says that the object does not exist. No other error says that.
pub(super) fn is_missing(error: &EngineError) -> bool {
    matches!(error, EngineError::DockerResponseServerError { status_code: 404, .. })
}
