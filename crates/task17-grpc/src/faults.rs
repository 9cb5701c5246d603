//! The larger faults of this task, and its other right programs. Think of your own faults before
//! you look.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Mutex;

use async_stream::stream;
use testenv::fault;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::codegen::BoxStream;
use tonic::codegen::tokio_stream::{self, StreamExt};
use tonic::metadata::{MetadataMap, MetadataValue};

use crate::pb::RepeatReply;

/// Far less than a frame of HTTP/2: both ends must take turns.
pub(crate) const FEW_BYTES: usize = 64;

/// Listens on a port for as long as the process lives.
pub(crate) fn open_a_port() {
    static OPEN: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    OPEN.lock().expect("nobody panics with this lock").push(listener);
}

/// Holds a connection of the process with itself until `served` ends. Nobody listens meanwhile.
pub(crate) fn hold_a_loopback_pair(served: JoinHandle<hyper::Result<()>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    let one = TcpStream::connect(address).expect("the listener takes it");
    let (other, _) = listener.accept().expect("a client is waiting");
    tokio::spawn(async move {
        served.await.ok(); // the pair ends, however the connection ended
        drop((one, other));
    });
}

/// Does the work in a task. Whoever drops the answer does not end the task.
pub(crate) async fn in_a_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Status::internal(error.to_string())))
}

/// The number of the last reply. A stream that reaches the limit stays right: the limit is another
/// requirement.
pub(crate) fn last(asked: u32, most: u32) -> u32 {
    if asked <= most && fault!("last-reply-missing") {
        return asked.saturating_sub(1);
    }
    asked.min(most)
}

/// Returns the stream as it is sent.
pub(crate) async fn sent(replies: BoxStream<RepeatReply>) -> BoxStream<RepeatReply> {
    if fault!("stream-collected") {
        return Box::pin(tokio_stream::iter(replies.collect::<Vec<_>>().await));
    }
    if fault!("work-for-nobody") {
        return from_a_task(replies, false);
    }
    if fault!("replies-from-a-task") {
        return from_a_task(replies, true);
    }
    replies
}

/// Makes the replies in a task. `stops` says whether the task ends when the client goes away.
fn from_a_task(mut replies: BoxStream<RepeatReply>, stops: bool) -> BoxStream<RepeatReply> {
    let (to, mut from) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let reply = tokio::select! {
                reply = replies.next() => reply,
                () = to.closed(), if stops => None,
            };
            let Some(reply) = reply else { return };
            to.send(reply).ok(); // nobody may be there to read it
        }
    });
    Box::pin(stream! {
        while let Some(reply) = from.recv().await {
            yield reply;
        }
    })
}

/// The text of a status. Nobody promises the words.
pub(crate) fn in_other_words(text: &str) -> String {
    if fault!("other-words") { format!("echo: {}", text.to_uppercase()) } else { text.to_owned() }
}

/// What goes back beside the metadata of the request.
pub(crate) fn more_metadata() -> MetadataMap {
    let mut metadata = MetadataMap::new();
    if fault!("more-metadata") {
        metadata.insert("served-by", MetadataValue::from_static("echo-1"));
    }
    metadata
}
