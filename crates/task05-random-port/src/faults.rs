//! The faults of this task, and its other right programs. Think of your own faults before you look.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use testenv::fault;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Below the range that the kernel chooses from, and not the port of a known service.
const FIXED_PORT: u16 = 28_105;

/// Far longer than an answer takes, but finite.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// Returns a replacement address to bind if a fault that changes the address is on.
pub(crate) fn address() -> Option<SocketAddr> {
    if fault!("fixed-port") {
        return Some((Ipv4Addr::LOCALHOST, FIXED_PORT).into());
    }
    if fault!("all-interfaces") {
        return Some((Ipv4Addr::UNSPECIFIED, 0).into());
    }
    None
}

/// Opens a listener to find a free port, closes the listener, and returns its address.
pub(crate) async fn probed_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()
}

/// Stores a second handle of the listener in a static, so that the listener is never closed.
pub(crate) fn keep_open(listener: TcpListener) -> io::Result<TcpListener> {
    static KEPT: Mutex<Vec<std::net::TcpListener>> = Mutex::new(Vec::new());
    let listener = listener.into_std()?;
    KEPT.lock().expect("nobody panics with this lock").push(listener.try_clone()?);
    TcpListener::from_std(listener)
}

/// Serves in a runtime of its own. When told to stop, drops the runtime with all its tasks.
pub(crate) async fn serve_until_cut(
    listener: TcpListener,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let listener = listener.into_std()?;
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let served = axum::serve(TcpListener::from_std(listener)?, crate::router());
            tokio::select! {
                served = served.into_future() => served,
                () = crate::told_to_stop(stopped) => Ok(()),
            }
        })
    });
    thread.await?
}

/// Stops listening when told to, then waits until the clients have closed every connection.
///
/// The server does not tell the clients that it stops.
pub(crate) async fn serve_until_idle(
    listener: TcpListener,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let (open, mut all_closed) = mpsc::channel(1);
    let listener = Counted { listening: Some((listener, open)), stopped };
    tokio::select! {
        served = axum::serve(listener, crate::router()).into_future() => served,
        _nobody_sends = all_closed.recv() => Ok(()),
    }
}

/// Waits for the requests in flight, but at most [`DRAIN_LIMIT`].
pub(crate) async fn with_a_limit(served: JoinHandle<io::Result<()>>) -> io::Result<()> {
    tokio::time::timeout(DRAIN_LIMIT, served).await??
}

/// A listener that holds a sender, as each of its connections does. The channel closes when the
/// listener and all connections are closed.
struct Counted {
    listening: Option<(TcpListener, mpsc::Sender<()>)>,
    stopped: oneshot::Receiver<()>,
}

impl Listener for Counted {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        if let Some((listener, open)) = &mut self.listening {
            tokio::select! {
                (stream, peer) = Listener::accept(listener) => return (Connection { stream, _open: open.clone() }, peer),
                _told = &mut self.stopped => {}
            }
        }
        self.listening = None;
        pending().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        let (listener, _) = self.listening.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        listener.local_addr()
    }
}

struct Connection {
    stream: TcpStream,
    _open: mpsc::Sender<()>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
