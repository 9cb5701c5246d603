//! The relay of a test to its database on a given server: a port of this process. The names of the
//! keys that the test writes are noted there.
//!
//! Redis does not say who made a key, and an application may write into a database that was empty
//! when a test leased it. So the relay knows a test's keys by their names, as the commands pass by.
//! The names are noted in database 0 of the server before the command is passed on. Whatever ends
//! the test, the process or the machine, whoever cleans up finds the names there.
//!
//! Invariant: a command is passed on only after its keys were noted.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, IntoConnectionInfo, RedisResult};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::{AbortHandle, JoinSet};

use super::remote_leases;
use super::server::{SIGN_LIMIT, Server};
use super::written::{Commands, Reader};
use crate::{Error, Heading, background};

/// How many bytes are read at once.
const PIECE: usize = 16 * 1024;

/// The server ends a connection some microseconds after its client did. A server that hangs gets
/// this long.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// A port that leads to one database of a given server.
#[derive(Debug)]
pub(super) struct Relay {
    port: u16,
    accepting: AbortHandle,
    connections: Arc<Mutex<Connections>>,
}

/// Both directions of every connection. The first ends by request. The second ends when the server
/// has ended its part.
#[derive(Debug, Default)]
struct Connections {
    upwards: Vec<AbortHandle>,
    downwards: JoinSet<()>,
}

impl Relay {
    /// Opens the port.
    pub(super) fn open(
        server: &Server,
        number: u32,
        commands: Arc<Commands>,
    ) -> Result<Relay, Error> {
        let failed = |cause| {
            Error::under(Heading::Machine, "cannot open a local port for a test's Redis database")
                .cause(cause)
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        listener.set_nonblocking(true).map_err(failed)?;
        let connections = Arc::new(Mutex::new(Connections::default()));
        let notes = Arc::new(Notes {
            number,
            server: server.clone(),
            commands,
            noted: Mutex::default(),
            connection: tokio::sync::Mutex::default(),
        });
        let opened = connections.clone();
        let accepting = background::start(async move {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            while let Ok((client, _)) = listener.accept().await {
                // A server that refuses has refused its client: the connection ends.
                connect(client, &notes, &opened).await.ok();
            }
        });
        Ok(Relay { port, accepting: accepting.abort_handle(), connections })
    }

    /// The address of the database for a client, with the options, the user and the password of the
    /// given address.
    pub(super) fn url(&self, server: &Server, number: u32) -> String {
        leads_to(&server.url(), number, self.port).unwrap_or_else(|| server.url_of(number))
    }

    /// Ends all connections, and waits until the server has executed everything that came over
    /// them.
    pub(super) fn close(self) {
        self.accepting.abort();
        let mut all = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        all.upwards.iter().for_each(AbortHandle::abort);
        let mut downwards = std::mem::take(&mut all.downwards);
        drop(all);
        let ended = async { while downwards.join_next().await.is_some() {} };
        // A server that hangs is met again by whoever removes the keys.
        background::wait(async { tokio::time::timeout(CLOSE_LIMIT, ended).await }).ok();
    }
}

/// The URL of the database of this number, behind this port of this machine. The rest is as in the
/// server's URL.
fn leads_to(given: &str, number: u32, port: u16) -> Option<String> {
    let mut url = redis::parse_redis_url(given)?;
    if url.scheme().contains("unix") {
        let info = given.into_connection_info().ok()?;
        let settings = info.redis_settings().clone();
        url = redis::parse_redis_url("redis://127.0.0.1")?;
        url.set_username(settings.username().unwrap_or_default()).ok()?;
        url.set_password(settings.password()).ok()?;
    }
    // The way to this machine's port is not the network.
    let plain = url.scheme().replace("rediss", "redis").replace("valkeys", "valkey");
    url.set_scheme(&plain).ok()?;
    url.set_path(&format!("/{number}"));
    url.set_host(Some("127.0.0.1")).ok()?;
    url.set_port(Some(port)).ok()?;
    Some(url.into())
}

async fn connect(
    client: TcpStream,
    notes: &Arc<Notes>,
    all: &Mutex<Connections>,
) -> RedisResult<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    match notes.server.url().into_connection_info()?.addr() {
        ConnectionAddr::Unix(path) => {
            let (from_server, to_server) = UnixStream::connect(path).await?.into_split();
            begin(
                all,
                upwards(from_client, to_server, notes.clone()),
                downwards(from_server, to_client),
            );
        }
        #[cfg(feature = "tls")]
        ConnectionAddr::TcpTls { host, port, .. } => {
            let server = TcpStream::connect((host.as_str(), *port)).await?;
            server.set_nodelay(true)?;
            let server = crate::tls::connect(host, server).await?;
            let (from_server, to_server) = tokio::io::split(server);
            begin(
                all,
                upwards(from_client, to_server, notes.clone()),
                downwards(from_server, to_client),
            );
        }
        ConnectionAddr::Tcp(host, port) => {
            let server = TcpStream::connect((host.as_str(), *port)).await?;
            server.set_nodelay(true)?;
            let (from_server, to_server) = server.into_split();
            begin(
                all,
                upwards(from_client, to_server, notes.clone()),
                downwards(from_server, to_client),
            );
        }
        _ => {}
    }
    Ok(())
}

fn begin(
    all: &Mutex<Connections>,
    up: impl Future<Output = ()> + Send + 'static,
    down: impl Future<Output = ()> + Send + 'static,
) {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.upwards.retain(|task| !task.is_finished());
    while all.downwards.try_join_next().is_some() {}
    all.upwards.push(background::start(up).abort_handle());
    all.downwards.spawn_on(down, background::handle());
}

/// Passes on what the client sends. When it ends, its half of the server's connection is dropped,
/// which tells the server that no more will come.
async fn upwards(
    mut client: impl AsyncRead + Unpin,
    mut server: impl AsyncWrite + Unpin,
    notes: Arc<Notes>,
) {
    let (mut piece, mut reader) = (vec![0; PIECE], Reader::default());
    while let Ok(length @ 1..) = client.read(&mut piece).await {
        let names = reader.read(&piece[..length], &notes.commands);
        if notes.add(names).await.is_err() || server.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

async fn downwards(mut server: impl AsyncRead + Unpin, mut client: impl AsyncWrite + Unpin) {
    let mut piece = vec![0; PIECE];
    let mut client_is_there = true;
    // Read to the end whoever hears it: only then has the server done what it was told.
    while let Ok(length @ 1..) = server.read(&mut piece).await {
        client_is_there = client_is_there && client.write_all(&piece[..length]).await.is_ok();
    }
}

/// Notes the names of the keys that came through this relay.
struct Notes {
    number: u32,
    server: Server,
    commands: Arc<Commands>,
    noted: Mutex<HashSet<Vec<u8>>>,
    connection: tokio::sync::Mutex<Option<MultiplexedConnection>>,
}

impl Notes {
    async fn add(&self, mut names: Vec<Vec<u8>>) -> RedisResult<()> {
        {
            let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            names.retain(|name| !noted.contains(name));
        }
        if names.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection.lock().await;
        let note = remote_leases::note(self.number, &names);
        let done = match &mut *connection {
            Some(open) => note.exec_async(open).await,
            None => Ok(()),
        };
        if connection.is_none() || done.is_err() {
            // A test may have cut all connections of the server.
            let client = redis::Client::open(self.server.url())?;
            let opening = client.get_multiplexed_async_connection();
            let opened = tokio::time::timeout(SIGN_LIMIT, opening).await;
            let mut open =
                opened.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
            note.exec_async(&mut open).await?;
            *connection = Some(open);
        }
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::leads_to;

    #[test]
    fn the_way_keeps_user_password_number_and_options() {
        let way = |given: &str| leads_to(given, 7, 77).unwrap();

        assert_eq!(
            way("redis://me:p%40ss@cache.local:6380/?protocol=3"),
            "redis://me:p%40ss@127.0.0.1:77/7?protocol=3"
        );
        assert_eq!(way("redis://[::1]"), "redis://127.0.0.1:77/7");
        #[cfg(feature = "tls")]
        assert_eq!(way("rediss://:p@cache.local"), "redis://:p@127.0.0.1:77/7");
        assert_eq!(way("unix:///run/redis.sock?pass=p%40ss"), "redis://:p%40ss@127.0.0.1:77/7");
    }
}
