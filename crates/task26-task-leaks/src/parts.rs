//! What a feed has started and has not yet seen the end of.

use testenv::fault;
use tokio::task::JoinHandle;

#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) tasks: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Parts {
    pub(crate) fn new(writer: JoinHandle<()>) -> Parts {
        Parts { tasks: Vec::new(), writer: Some(writer) }
    }

    /// Waits for the end of each part. A part is forgotten when it has ended, not before: this future
    /// may be dropped half-way.
    pub(crate) async fn end(&mut self) {
        while let Some(task) = self.tasks.last_mut() {
            task.await.ok(); // a part that panicked has ended too
            self.tasks.pop();
        }
        if fault!("journal-stays") || fault!("journal-not-awaited") {
            return;
        }
        if let Some(writer) = &mut self.writer {
            writer.await.ok(); // the same
            self.writer = None;
        }
    }
}
