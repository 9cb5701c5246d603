//! The runtime of the harness, for what outlives the runtime of a test or is asked for without one.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::{Handle, Runtime};
use tokio::task::block_in_place;

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

/// The runtime itself, for a set of tasks.
pub(crate) fn handle() -> &'static Handle {
    RUNTIME.handle()
}

/// Waits for a future on this thread. Its timers, sockets and tasks are those of the runtime.
///
/// The thread does not count as one of a runtime: what is called in the future may block, and may
/// start a runtime of its own, as blocking clients do.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let is_served_here = Handle::try_current().is_ok_and(|here| here.id() == RUNTIME.handle().id());
    let wait = || {
        let _runtime = RUNTIME.enter();
        pollster::block_on(future)
    };
    // A task of the runtime holds its one thread: another thread goes on with the others.
    if is_served_here { block_in_place(wait) } else { wait() }
}
