#![doc = "[before]: ../task04_transactions/index.html\n[next]: ../task06_redis/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use testenv::fault;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

mod faults;

/// A service on a port of its own. `POST /echo` sends the body back after the whole body arrived.
///
/// [`Server::shutdown`] stops the server and waits for its end. Drop only tells the server to stop,
/// because a `Drop` cannot wait.
#[derive(Debug)]
#[must_use]
pub struct Server {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts a server on a loopback port that the kernel chooses. When `start` returns, the server
    /// accepts connections.
    ///
    /// # Errors
    ///
    /// If no port can be bound: the machine has run out of ports or of file descriptors.
    pub async fn start() -> io::Result<Server> {
        let wanted = faults::address().unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        let listener = TcpListener::bind(wanted).await?;
        let addr = if fault!("configured-address") {
            wanted
        } else if fault!("probed-port") {
            faults::probed_address().await?
        } else {
            listener.local_addr()?
        };

        let listener = if fault!("port-kept") { faults::keep_open(listener)? } else { listener };
        let (stop, stopped) = oneshot::channel();
        let served = if fault!("cuts-in-flight") {
            tokio::spawn(faults::serve_until_cut(listener, stopped))
        } else if fault!("waits-for-idle") {
            tokio::spawn(faults::serve_until_idle(listener, stopped))
        } else {
            tokio::spawn(serve(listener, stopped))
        };
        Ok(Server { addr, stop, served })
    }

    /// Returns the address of this server, including the port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops the server; returns when the requests in flight are answered.
    ///
    /// From the call on, the server refuses new connections. It closes idle connections.
    ///
    /// # Errors
    ///
    /// If the server's task panicked.
    pub async fn shutdown(self) -> io::Result<()> {
        drop(self.stop);
        if fault!("returns-early") {
            return Ok(());
        }
        if fault!("drain-limit") {
            return faults::with_a_limit(self.served).await;
        }
        self.served.await?
    }
}

async fn serve(listener: TcpListener, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    axum::serve(listener, router()).with_graceful_shutdown(told_to_stop(stopped)).await
}

/// Completes when the sender of `stopped` sends or is dropped.
async fn told_to_stop(stopped: oneshot::Receiver<()>) {
    stopped.await.unwrap_or(());
}

fn router() -> Router {
    Router::new().route("/echo", post(echo))
}

async fn echo(body: String) -> Response {
    if fault!("closes-each-connection") {
        return ([("connection", "close")], body).into_response();
    }
    body.into_response()
}
