#![doc = "[before]: ../task04_transactions/index.html\n[next]: ../task06_redis/index.html\n"]
// on a page of rustdoc's, lessons are such pages; the first definition of a link counts
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

/// A service on a port of its own: `POST /echo` sends the body back, as soon as it is there whole.
///
/// [`Server::shutdown`] ends it and waits. Dropping it only tells it to end: a `Drop` cannot wait.
#[derive(Debug)]
#[must_use]
pub struct Server {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts a server on a loopback port that the kernel chooses; it takes connections from this moment on.
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

    /// The address to reach this server at, port included.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Refuses new connections from now on, closes idle ones, and returns when the requests in flight are answered.
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

/// Ends when the server's handle says so, or is gone.
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
