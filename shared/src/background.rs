//! The runtime on which proxies and their client live. A test's runtime ends with the test, and
//! with it the connections that were opened there.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("testenv-proxy")
        .enable_all()
        .build()
        .expect("a thread and an epoll descriptor can be had")
});

/// Does `work` there. It can be called from any runtime.
pub(super) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    start(work).await.expect("work on a proxy is neither cancelled nor panics")
}

/// Starts `work` there, from anywhere.
pub(super) fn start<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    RUNTIME.spawn(work)
}
