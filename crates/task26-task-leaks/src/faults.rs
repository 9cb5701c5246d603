//! The faults, and the other right programs, that `COURSE_FAULT` switches on and that are longer than a
//! condition. Think of your own faults before you look.

use std::future::pending;
use std::mem;
use std::sync::{Mutex as StdMutex, PoisonError};

use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::Feed;
use crate::journal::Sender;
use crate::parts::Parts;

/// Returns from a start that failed, and leaves the feed with the task that would have watched it.
pub(crate) fn leave(feed: Feed) {
    tokio::spawn(async move {
        let _feed = feed;
        pending::<()>().await;
    });
}

/// Keeps a sender of the journal, as if for the statistics.
pub(crate) fn keep_open(journal: &Sender) {
    static KEPT: StdMutex<Vec<mpsc::UnboundedSender<String>>> = StdMutex::new(Vec::new());
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).extend(journal.take());
}

/// Drops a feed without a word. Its tasks have a sender of the signal, so they wait for it.
pub(crate) fn forget(stopping: &watch::Sender<bool>) {
    let stopping = stopping.clone();
    tokio::spawn(async move { stopping.closed().await });
}

pub(crate) async fn end_unless_ending(parts: &Mutex<Parts>) {
    if let Ok(mut parts) = parts.try_lock() {
        parts.end().await;
    }
}

/// Takes the parts away first. They are lost if this future is dropped half-way.
pub(crate) async fn end_taken(parts: &Mutex<Parts>) {
    let mut parts = parts.lock().await;
    mem::take(&mut *parts).end().await;
}

/// Tells the monitor of the end, and waits for an answer that does not come.
pub(crate) fn say_farewell() {
    tokio::spawn(pending::<()>());
}

/// Runs `write` on a thread outside tokio's pool.
pub(crate) fn on_a_thread(write: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let (tell, ended) = oneshot::channel();
    std::thread::spawn(move || {
        write();
        tell.send(()).ok(); // nobody has to wait
    });
    tokio::spawn(async { ended.await.unwrap_or(()) })
}
