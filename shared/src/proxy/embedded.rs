//! The stand-in: a TCP proxy in this process, on 127.0.0.1.
//!
//! It treats connections as Toxiproxy does, also where that is surprising: a test that passes here
//! passes there.

mod link;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::toxic::{Direction, Toxic};
use super::upstream::Upstream;
use crate::provider::announce;
use crate::verdict::{Evidence, Told};
use crate::{Error, Heading, background, wait};
use link::Toxics;

/// How many proxies of failed tests are reported: the newest ones.
const TOLD: usize = 16;

/// A program that uses a port for a moment, as the port of a connection of its own.
const PORT_LIMIT: Duration = Duration::from_secs(5);

/// What a proxy does to its connections at a moment.
#[derive(Clone, Copy, Default)]
struct State {
    toxics: [Toxics; 2],
    /// Connections of earlier numbers are cut.
    cuts: u64,
}

/// A proxy.
pub(super) struct Line {
    address: SocketAddr,
    text: String,
    upstream: Arc<str>,
    state: Arc<watch::Sender<State>>,
    /// Accepts connections. `None` while the line is cut.
    door: Arc<Mutex<Option<JoinHandle<()>>>>,
}

pub(super) async fn make(_test: &str, upstream: &Upstream) -> Result<Line, Error> {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        announce(
            "toxiproxy",
            "embedded, a proxy in this process (the feature `integration` is off)",
        );
    });
    background::run(upstream.clone().expect_there()).await?;
    let upstream: Arc<str> = upstream.place().into();
    let state = Arc::new(watch::Sender::new(State::default()));
    let (address, door) =
        open("127.0.0.1:0".parse().expect("an address"), &upstream, &state).await.map_err(
            |cause| Error::under(Heading::Proxy, "no port for a proxy on 127.0.0.1").cause(cause),
        )?;
    let door = Arc::new(Mutex::new(Some(door)));
    Ok(Line { address, text: address.to_string(), upstream, state, door })
}

impl Line {
    pub(super) fn address(&self) -> &str {
        &self.text
    }

    pub(super) async fn set(&self, direction: Direction, toxic: Toxic) -> Result<(), Error> {
        self.state.send_modify(|state| state.toxics[direction as usize].add(toxic));
        Ok(())
    }

    pub(super) async fn cut(&self) -> Result<(), Error> {
        if let Some(door) = self.take_door() {
            door.abort();
            door.await.ok(); // it was told to end
        }
        self.state.send_modify(|state| state.cuts += 1);
        Ok(())
    }

    pub(super) async fn heal(&self) -> Result<(), Error> {
        self.state.send_modify(|state| state.toxics = Default::default());
        if self.door().is_some() {
            return Ok(());
        }
        let opened = wait::until(PORT_LIMIT, "the port of the proxy", async || {
            open(self.address, &self.upstream, &self.state).await
        });
        let (_, door) = opened.await.map_err(|error| {
            Error::under(
                Heading::Proxy,
                format!("another program took the port of the proxy at {}", self.address),
            )
            .cause(error)
            .fix("run the test again; make a proxy of its own for each cut")
        })?;
        *self.door() = Some(door);
        Ok(())
    }

    /// Ends the proxy. What is said of it if its test failed.
    pub(super) fn used(self) -> Used {
        if let Some(door) = self.take_door() {
            door.abort();
        }
        Used
    }

    fn take_door(&self) -> Option<JoinHandle<()>> {
        self.door().take()
    }

    fn door(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proxy whose test has ended.
pub(super) struct Used;

impl Evidence for Used {
    fn room(&self) -> usize {
        TOLD
    }

    fn told(&self) -> Told {
        Told {
            stays: "proxy is gone: it ran in this process".to_owned(),
            open: None,
            more: vec!["use a Toxiproxy that keeps it: add --features integration".to_owned()],
        }
    }
}

/// Listens, and starts to accept connections.
async fn open(
    address: SocketAddr,
    upstream: &Arc<str>,
    state: &Arc<watch::Sender<State>>,
) -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
    let (upstream, state) = (upstream.clone(), state.subscribe());
    background::run(async move {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((address, background::start(accept(listener, upstream, state))))
    })
    .await
}

async fn accept(listener: TcpListener, upstream: Arc<str>, state: watch::Receiver<State>) {
    loop {
        // A connection that was gone before it was accepted is no reason to end.
        let Ok((client, _)) = listener.accept().await else { continue };
        let (state, began) = (state.clone(), *state.borrow());
        drop(background::start(serve(client, upstream.clone(), state, began)));
    }
}

/// Serves one connection until it ends or is cut.
async fn serve(client: TcpStream, upstream: Arc<str>, state: watch::Receiver<State>, began: State) {
    let mut cuts = state.clone();
    let carried = async {
        let server = TcpStream::connect(&*upstream).await?;
        link::carry_both(client, server, &state, began).await
    };
    // Either it ends by itself, or the line is cut, or the proxy is dropped.
    tokio::select! {
        _ = carried => {}
        _ = cuts.wait_for(|now| now.cuts != began.cuts) => {}
    }
}
