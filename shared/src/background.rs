//! The runtime of the harness, for what outlives the runtime of a test or is asked for without one.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("testenv-runtime")
        .enable_all()
        .build()
        .expect("a thread and an epoll descriptor can be had")
});

/// Does `work` there. It can be called from any runtime.
pub(crate) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    start(work).await.expect("work of the harness is neither cancelled nor panics")
}

/// Starts `work` there, from anywhere.
pub(crate) fn start<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    RUNTIME.spawn(work)
}

/// Waits for a future on this thread. Its timers, sockets and tasks are those of the runtime.
///
/// The thread does not count as one of a runtime: what is called in the future may block, and may
/// start a runtime of its own, as blocking clients do.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let _runtime = RUNTIME.enter();
    pollster::block_on(future)
}
