//! An entrance: a port that leads to a PostgreSQL, and that can be closed or frozen.

use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::OnceLock;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

pub(super) struct Entrance {
    pub(super) address: String,
    is_frozen: watch::Sender<bool>,
    /// Owns the port and all connections.
    accepting: Mutex<JoinHandle<()>>,
    end: AbortHandle,
}

/// The threads of the servers, which outlive the runtime of a test, as servers do.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let build =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    RUNTIME.get_or_init(|| build().expect("a runtime can be built"))
}

impl Entrance {
    /// Opens a port in [`runtime`].
    pub(super) async fn open(upstream: PgConnectOptions) -> std::io::Result<Entrance> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (is_frozen, frozen) = watch::channel(false);
        let accepting = runtime().spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                while connections.try_join_next().is_some() {}
                connections.spawn(lead(client, upstream.clone(), frozen.clone()));
            }
        });
        let end = accepting.abort_handle();
        Ok(Entrance { address, is_frozen, accepting: accepting.into(), end })
    }

    /// Closes the port and all connections, a moment later.
    pub(super) fn leave(&self) {
        self.end.abort();
    }

    /// The same. Returns when they are closed.
    pub(super) async fn close(&self) {
        self.leave();
        let mut accepting = self.accepting.lock().await;
        if !accepting.is_finished() {
            let _aborted = (&mut *accepting).await;
        }
    }

    /// From now on nothing is forwarded. The kernel still accepts connections.
    pub(super) fn freeze(&self) {
        self.is_frozen.send_replace(true);
    }
}

/// Forwards in both directions until one side ends the connection, or the entrance is frozen. Without a
/// PostgreSQL the client sees its end at once.
async fn lead(
    client: TcpStream,
    upstream: PgConnectOptions,
    frozen: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let port = upstream.get_port();
    if let Some(dir) = upstream.get_socket() {
        let server = UnixStream::connect(dir.join(format!(".s.PGSQL.{port}"))).await?;
        forward(client, server, frozen).await;
    } else {
        let server = TcpStream::connect((upstream.get_host(), port)).await?;
        forward(client, server, frozen).await;
    }
    Ok(())
}

async fn forward(
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    mut frozen: watch::Receiver<bool>,
) {
    tokio::select! {
        biased;
        _ = frozen.wait_for(|is_frozen| *is_frozen) => {}
        _ended = copy_bidirectional(&mut client, &mut server) => return,
    }
    // Both stay open, and nobody reads from them.
    pending::<()>().await;
}
