//! The wrong turns of this task, and the other right ones. Think first, look after.

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

/// Below the ports that the kernel chooses from, and of no service that is known.
const FIXED_PORT: u16 = 28_105;

/// Far more than an answer takes, and still an end.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// Another address to bind than the usual one, when this process was asked for it.
pub(crate) fn address() -> Option<SocketAddr> {
    if fault!("fixed-port") {
        return Some((Ipv4Addr::LOCALHOST, FIXED_PORT).into());
    }
    if fault!("all-interfaces") {
        return Some((Ipv4Addr::UNSPECIFIED, 0).into());
    }
    None
}

/// The address of a listener that was opened to find a free port, and closed.
pub(crate) async fn probed_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()
}

/// Leaves a second handle of the listener where nobody closes it.
pub(crate) fn keep_open(listener: TcpListener) -> io::Result<TcpListener> {
    static KEPT: Mutex<Vec<std::net::TcpListener>> = Mutex::new(Vec::new());
    let listener = listener.into_std()?;
    KEPT.lock().expect("nobody panics with this lock").push(listener.try_clone()?);
    TcpListener::from_std(listener)
}

/// Serves in a runtime of its own and drops it when told to stop, with all that runs in it.
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

/// Stops listening when told to, and waits until the clients have closed every connection, without telling them.
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

/// Gives the requests in flight a long time, but not for ever.
pub(crate) async fn with_a_limit(served: JoinHandle<io::Result<()>>) -> io::Result<()> {
    tokio::time::timeout(DRAIN_LIMIT, served).await??
}

/// A listener that holds a sender, as each of its connections does: the channel ends with the last of them.
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
