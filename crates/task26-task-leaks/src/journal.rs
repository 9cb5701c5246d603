//! The journal: a thread that writes, because a disk blocks.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use testenv::fault;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::faults;

/// A journal that was started.
pub(crate) struct Journal {
    pub(crate) kept: Sender,
    /// Whether the first line was written.
    pub(crate) opened: oneshot::Receiver<io::Result<()>>,
    pub(crate) writer: JoinHandle<()>,
}

/// Sends lines to the thread, until one of the clones is closed.
#[derive(Clone)]
pub(crate) struct Sender(Arc<Mutex<Option<mpsc::UnboundedSender<String>>>>);

impl Sender {
    /// Fails when the journal is closed or has failed.
    pub(crate) fn send(&self, line: String) -> Result<(), String> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.send(line).map_err(|refused| refused.0),
            None => Err(line),
        }
    }

    /// The thread ends when it has written what was sent.
    pub(crate) fn close(&self) {
        drop(self.take());
    }

    pub(crate) fn take(&self) -> Option<mpsc::UnboundedSender<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

pub(crate) fn open(sink: impl Write + Send + 'static) -> Journal {
    let (sender, lines) = mpsc::unbounded_channel();
    let (tell, opened) = oneshot::channel();
    let write = move || write(BufWriter::new(sink), lines, tell);
    let writer = if fault!("thread-of-its-own") {
        faults::on_a_thread(write)
    } else {
        tokio::task::spawn_blocking(write)
    };
    Journal { kept: Sender(Arc::new(Mutex::new(Some(sender)))), opened, writer }
}

fn write(
    mut sink: BufWriter<impl Write>,
    mut lines: mpsc::UnboundedReceiver<String>,
    opened: oneshot::Sender<io::Result<()>>,
) {
    let first = writeln!(sink, "opened").and_then(|()| sink.flush());
    let is_open = first.is_ok();
    opened.send(first).ok(); // the start may have been cancelled
    let mut failed = !is_open;
    while !failed && let Some(line) = lines.blocking_recv() {
        failed = writeln!(sink, "{line}").is_err();
    }
    // `BufWriter` would try once more to write what the sink has refused.
    if failed || fault!("no-last-flush") {
        drop(sink.into_parts());
    } else {
        sink.flush().ok(); // there is nobody left to tell
    }
}
