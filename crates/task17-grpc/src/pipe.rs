//! HTTP/2 on any stream of bytes: both ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};

use crate::pb::echo_server::EchoServer;
use crate::service::Service;

/// The client's end of a connection. Clones share the connection.
///
/// Not tonic's `Channel`: a channel watches the deadline of its own requests, and nobody would see
/// whether the server does.
#[derive(Clone, Debug)]
pub struct Connection {
    sender: SendRequest<Body>,
}

/// Serves one connection, in a task, until the client closes the connection.
pub(crate) fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: EchoServer<Service>,
) -> JoinHandle<hyper::Result<()>> {
    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::spawn(served)
}

/// Begins a connection. A task moves its bytes until the last clone is dropped.
pub(crate) async fn connect(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Connection {
    let (sender, moved) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("nobody closes the other end of the pipe");
    tokio::spawn(moved);
    Connection { sender }
}

impl tonic::codegen::Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.sender.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.sender.send_request(request))
    }
}
