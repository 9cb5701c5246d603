#![doc = "[before]: ../task16_s3/index.html\n[next]: ../task18_http_stubs/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// The service: what one call promises, and the two methods.
mod call;
mod service;

// The pipe: HTTP/2 in memory.
mod pipe;

// The proof that nothing opened a port.
pub mod sockets;

mod faults;

use testenv::fault;
use tonic::codegen::http::Uri;

use crate::call::Calls;
use crate::pb::echo_client::EchoClient;
use crate::pb::echo_server::EchoServer;
pub use crate::pipe::Connection;
use crate::service::Service;

/// The messages and the client, generated from `proto/echo.proto` by `build.rs`.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::doc_markdown,
    clippy::missing_errors_doc,
    unused_qualifications,
    reason = "the generators know nothing of this workspace's lints"
)]
pub mod pb {
    include!(concat!(env!("OUT_DIR"), "/course.echo.v1.rs"));
}

/// As many bytes as TCP's first window.
const PIPE_BYTES: usize = 64 * 1024;

/// The echo service, in this process.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use task17_grpc::{Echo, pb::SayRequest};
///
/// let mut client = Echo::new().client().await;
/// let request = SayRequest { text: "hello".into(), delay_ms: 0 };
///
/// let reply = client.say(request).await.unwrap().into_inner();
///
/// assert_eq!(reply.text, "hello");
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Echo {
    calls: Calls,
}

impl Echo {
    /// Returns a service that has no client yet.
    #[must_use]
    pub fn new() -> Echo {
        Echo::default()
    }

    /// Connects a new client through a pipe of its own, in memory. The connection ends when the
    /// last clone of the client is dropped.
    ///
    /// The client sends the deadline of a request and does not watch the deadline itself.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn client(&self) -> EchoClient<Connection> {
        let service = EchoServer::new(Service::new(self.calls.clone()));
        if fault!("port-for-debugging") {
            faults::open_a_port();
        }
        let size = if fault!("small-pipe") { faults::FEW_BYTES } else { PIPE_BYTES };
        let (ours, theirs) = tokio::io::duplex(size);
        let served = pipe::serve(theirs, service);
        if fault!("loopback-pair") {
            faults::hold_a_loopback_pair(served);
        }
        // HTTP/2 wants a host. Nobody looks it up: the pipe leads to this service only.
        let host = Uri::from_static("http://in.memory");
        EchoClient::with_origin(pipe::connect(ours).await, host)
    }

    /// Returns the number of calls that the service still works on.
    #[must_use]
    pub fn in_progress(&self) -> usize {
        self.calls.in_progress()
    }
}
