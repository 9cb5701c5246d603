//! A bad network for one test: a proxy in front of any server, with latency, a narrow line,
//! silence, resets and cuts, for each direction.
//!
//! With the feature `integration` the proxy is Toxiproxy's, one server per run. In the plain tier a
//! proxy in the test's process stands in for it.
//!
//! Private to the test: the proxy, its port, and all that is done to its connections. No call here
//! touches another test's proxy.
//!
//! ```no_run
//! # async fn test() -> Result<(), testenv::Error> {
//! use std::time::Duration;
//! use testenv::Direction::Downstream;
//!
//! let (slow, quick) = (testenv::fresh_proxy("127.0.0.1:8080").await, testenv::fresh_proxy("127.0.0.1:8080").await);
//! slow.latency(Downstream, Duration::from_millis(500)).await?;
//! assert_ne!(slow.address(), quick.address(), "one server behind two networks");
//! # Ok(()) }
//! ```
//!
//! # The upstream
//!
//! It is `host:port`, or a URL with a host. `postgres`, `redis` and `http` URLs have their usual
//! port. It must answer when the proxy is made: [`fresh_proxy`] connects to it once, and with a
//! Toxiproxy of `TESTENV_TOXIPROXY_URL` once more, through the proxy. The server sees these
//! connections end.
//!
//! - Kafka's brokers tell their clients an address of their own, so the clients go around a proxy.
//! - Toxiproxy in a container reaches the servers of the run and servers on other machines. It
//!   cannot reach a server that the test itself serves on 127.0.0.1; with
//!   `TESTENV_PROVIDER=native` it can, and so does the plain tier's stand-in.
//!
//! # Toxiproxy's ways
//!
//! A connection that was silenced by [`Proxy::timeout`] has lost data, so [`Proxy::heal`] closes
//! it. A [`Proxy::reset`] is a reset for connections that are opened after the call; one that was
//! open before is closed. A client that closes only its own direction of a connection ends both.
//!
//! Where the tests cannot reach Toxiproxy's container itself, or with
//! `TESTENV_TOXIPROXY_PORTS=published`, the engine publishes 16 ports for proxies. At these ports
//! the engine itself accepts a connection to a proxy that was cut, and ends it at once; and a reset
//! arrives as an ordinary end.
//!
//! # What the stand-in does not do
//!
//! - It has no HTTP API, so nobody can look at it from outside, and it ends with its process.
//! - It has no toxicity, no `slicer`, `slow_close` or `limit_data`: nor has [`Proxy`] with Toxiproxy.
//! - Several toxics of one direction work in a fixed order: reset, timeout, latency, bandwidth. In
//!   Toxiproxy they work in the order in which they were set.
//! - Its buffers are the kernel's and 32 KiB of its own. With latency it takes up to 32 MiB from a
//!   sender, as Toxiproxy does.
//!
//! Invariant: no two live proxies of a run have the same name or the same port. A proxy on an
//! external server is noted before it is created.

#[cfg(not(feature = "integration"))]
mod embedded;
#[cfg(feature = "integration")]
mod real;
mod toxic;
mod upstream;

use std::fmt;
use std::fmt::Display;
use std::panic::Location;
use std::time::Duration;

#[cfg(not(feature = "integration"))]
use embedded as network;
#[cfg(feature = "integration")]
use real as network;

pub use toxic::Direction;

#[cfg(feature = "integration")]
use crate::run::cleaner::Cleaner;
#[cfg(feature = "integration")]
use crate::server::Starter;
use crate::service::TOXIPROXY;
use crate::verdict::Held;
use crate::wait::HeldClock;
use crate::{Error, current_test, wait};
use network::Line;
use tokio::sync::Mutex;
use toxic::{Toxic, millis, rate};
use upstream::Upstream;

/// How the server is started before a test asks for it.
#[cfg(feature = "integration")]
pub(crate) const START: Starter = (TOXIPROXY.name, || crate::server::start(real::start()));

/// Removes proxies on servers that do not end with the run.
#[cfg(feature = "integration")]
pub(crate) const CLEANER: Cleaner =
    Cleaner { is_external: true, ..Cleaner::new("toxiproxy", real::remove) };

/// A network of one test, to the server that it was made for.
///
/// Dropping it removes the proxy, with the connections through it. The drop neither waits nor needs
/// a runtime. The proxy of a failed test stays until the run ends, or until another test of the run
/// finds no other port. The line that shows it is printed when the process ends.
///
/// All methods return when the change is in force. A second call of one method for one direction
/// replaces the value. Times are in whole milliseconds, rounded up, and in real time, even if
/// tokio's clock is stopped.
///
/// ```no_run
/// # async fn test() -> Result<(), testenv::Error> {
/// use std::time::Duration;
/// use testenv::{Direction::Downstream, Proxy};
///
/// let proxy: Proxy = testenv::fresh_proxy("http://127.0.0.1:8080/api").await;
/// println!("{} leads to {}", proxy.url(), proxy.address());
/// proxy.latency(Downstream, Duration::from_millis(500)).await?;
/// proxy.cut().await?;
/// proxy.heal().await?;
/// # Ok(()) }
/// ```
#[must_use = "dropping the guard removes the proxy; bind it to a variable"]
pub struct Proxy {
    upstream: Upstream,
    /// Latency and jitter of each direction, which are one toxic.
    delays: Mutex<[(u64, u64); 2]>,
    held: Held,
    // Gone only while it is being dropped.
    line: Option<Line>,
}

/// Returns a proxy to `upstream` that no other test uses, and that lets everything through.
///
/// Dropping it removes it. The upstream is text, or anything that shows itself as such: a URL, a
/// `SocketAddr`. Where Toxiproxy's container publishes its ports, sixteen proxies fit into a run at a
/// time; the call waits up to a minute for a free one.
///
/// # Panics
///
/// If the upstream has no address or nobody listens there, if no Toxiproxy can be reached or
/// started, or if it cannot reach the upstream. The message says what was tried and what to type.
///
/// ```no_run
/// # async fn test() {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// let proxy = testenv::fresh_proxy(listener.local_addr().unwrap()).await;
/// println!("curl http://{}", proxy.address());
/// # }
/// ```
#[track_caller]
pub fn fresh_proxy(upstream: impl Display) -> impl Future<Output = Proxy> {
    let (upstream, asked) = (upstream.to_string(), Location::caller());
    async move {
        let made = make(&upstream, current_test::name()).await;
        made.unwrap_or_else(|error| error.raise(asked))
    }
}

impl Proxy {
    /// Where the proxy listens: `host:port`.
    pub fn address(&self) -> &str {
        self.line().address()
    }

    /// The text of the upstream, with the proxy's host and port in the place of its own.
    pub fn url(&self) -> String {
        self.upstream.at(self.address())
    }

    /// Delays all data of a direction by this time.
    ///
    /// # Errors
    ///
    /// When the time is longer than a day, or when Toxiproxy refuses or does not answer.
    ///
    /// ```no_run
    /// # async fn test(proxy: testenv::Proxy) -> Result<(), testenv::Error> {
    /// use std::time::Duration;
    /// proxy.latency(testenv::Direction::Downstream, Duration::from_millis(500)).await
    /// # }
    /// ```
    pub async fn latency(&self, direction: Direction, time: Duration) -> Result<(), Error> {
        let latency = millis("latency", time)?;
        self.delay(direction, |delay| delay.0 = latency).await
    }

    /// Varies the latency of a direction at random, by up to this time more or less. Without a
    /// latency, data is delayed by up to this time, or not at all.
    ///
    /// # Errors
    ///
    /// As [`Proxy::latency`].
    ///
    /// ```no_run
    /// # async fn test(proxy: testenv::Proxy) -> Result<(), testenv::Error> {
    /// use std::time::Duration;
    /// use testenv::Direction::Downstream;
    /// proxy.latency(Downstream, Duration::from_millis(500)).await?;
    /// proxy.jitter(Downstream, Duration::from_millis(50)).await // 450 to 550 ms
    /// # }
    /// ```
    pub async fn jitter(&self, direction: Direction, time: Duration) -> Result<(), Error> {
        let jitter = millis("jitter", time)?;
        self.delay(direction, |delay| delay.1 = jitter).await
    }

    /// Lets no more than this many kilobytes (1000 bytes) a second through in a direction.
    ///
    /// # Errors
    ///
    /// When it is zero, or when Toxiproxy refuses or does not answer.
    ///
    /// ```no_run
    /// # async fn test(proxy: testenv::Proxy) -> Result<(), testenv::Error> {
    /// proxy.bandwidth(testenv::Direction::Upstream, 64).await
    /// # }
    /// ```
    pub async fn bandwidth(&self, direction: Direction, kilobytes: u64) -> Result<(), Error> {
        self.line().set(direction, rate(kilobytes)?).await
    }

    /// Loses all data of a direction from now on. A connection on which nothing more was sent for
    /// this time is closed. [`Duration::ZERO`] never closes one.
    ///
    /// # Errors
    ///
    /// As [`Proxy::latency`].
    ///
    /// ```no_run
    /// # async fn test(proxy: testenv::Proxy) -> Result<(), testenv::Error> {
    /// use std::time::Duration;
    /// proxy.timeout(testenv::Direction::Downstream, Duration::ZERO).await // silent for ever
    /// # }
    /// ```
    pub async fn timeout(&self, direction: Direction, after: Duration) -> Result<(), Error> {
        self.line().set(direction, Toxic::Timeout(millis("timeout", after)?)).await
    }

    /// Resets a connection, this time after data was sent in the direction. The data is lost, and
    /// both ends see `ECONNRESET`. Connections that are open already are closed without a reset.
    ///
    /// # Errors
    ///
    /// As [`Proxy::latency`].
    ///
    /// ```no_run
    /// # async fn test(proxy: testenv::Proxy) -> Result<(), testenv::Error> {
    /// use std::time::Duration;
    /// proxy.reset(testenv::Direction::Downstream, Duration::from_millis(100)).await
    /// # }
    /// ```
    pub async fn reset(&self, direction: Direction, after: Duration) -> Result<(), Error> {
        self.line().set(direction, Toxic::Reset(millis("reset", after)?)).await
    }

    /// Ends all connections, and refuses new ones until [`Proxy::heal`].
    ///
    /// # Errors
    ///
    /// When Toxiproxy refuses or does not answer.
    ///
    /// ```no_run
    /// # async fn test(proxy: testenv::Proxy) -> Result<(), testenv::Error> {
    /// proxy.cut().await?;
    /// assert!(std::net::TcpStream::connect(proxy.address()).is_err());
    /// # Ok(()) }
    /// ```
    pub async fn cut(&self) -> Result<(), Error> {
        self.line().cut().await
    }

    /// Ends all trouble: no toxic is left in either direction, and the proxy accepts connections.
    /// Connections that lost data are closed.
    ///
    /// # Errors
    ///
    /// When Toxiproxy refuses or does not answer, or when another program took the port of a proxy
    /// that was cut.
    ///
    /// ```no_run
    /// # async fn test(proxy: testenv::Proxy) -> Result<(), testenv::Error> {
    /// proxy.cut().await?;
    /// proxy.heal().await?;
    /// assert!(std::net::TcpStream::connect(proxy.address()).is_ok());
    /// # Ok(()) }
    /// ```
    pub async fn heal(&self) -> Result<(), Error> {
        let mut delays = self.delays.lock().await;
        *delays = Default::default();
        self.line().heal().await
    }

    async fn delay(
        &self,
        direction: Direction,
        change: impl FnOnce(&mut (u64, u64)),
    ) -> Result<(), Error> {
        // Held until it is in force: of two calls at once, the later one knows what the other set.
        let mut delays = self.delays.lock().await;
        let delay = &mut delays[direction as usize];
        change(delay);
        let (latency, jitter) = *delay;
        self.line().set(direction, Toxic::Delay { latency, jitter }).await
    }

    fn line(&self) -> &Line {
        self.line.as_ref().expect("it is gone only while the proxy is dropped")
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({} to {})", self.address(), self.upstream)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            self.held.end(line.used());
        }
    }
}

async fn make(upstream: &str, test: String) -> Result<Proxy, Error> {
    wait::expect_runtime("a proxy")?;
    let _until_it_is_made = HeldClock::new();
    let upstream = Upstream::read(upstream)?;
    let line = network::make(&test, &upstream).await?;
    let held = Held::new(TOXIPROXY.name, test);
    Ok(Proxy { upstream, delays: Mutex::default(), held, line: Some(line) })
}
