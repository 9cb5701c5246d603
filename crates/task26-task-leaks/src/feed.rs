//! The feed: what starts its parts, and what ends them.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use testenv::fault;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, broadcast, watch};
use tokio::time::interval;

use crate::journal::{self, Journal};
use crate::parts::Parts;
use crate::{faults, server};

/// A subscriber that does not read misses lines once so many are waiting for it.
const WAITING: usize = 1024;

/// A news feed. It sends each published line to all subscribers, and writes it to a journal.
///
/// A subscriber is a TCP connection to [`addr`](Feed::addr). The feed itself publishes the line
/// `beat` once per beat.
///
/// [`stop`](Feed::stop) ends the feed and waits for its end. Drop only tells the feed to end, because a
/// `Drop` cannot wait.
#[must_use]
pub struct Feed {
    addr: SocketAddr,
    lines: Lines,
    stopping: watch::Sender<bool>,
    parts: Mutex<Parts>,
}

/// Where a line goes: to the subscribers, and to the journal.
#[derive(Clone)]
pub(crate) struct Lines {
    pub(crate) live: broadcast::Sender<String>,
    pub(crate) kept: journal::Sender,
}

impl Lines {
    pub(crate) fn publish(&self, line: &str) {
        self.kept.send(line.to_owned()).ok(); // a journal that has failed takes no more
        self.live.send(line.to_owned()).ok(); // nobody has to listen
    }
}

impl Feed {
    /// Starts a feed on a free loopback port. It writes the line `opened` to `journal` first.
    ///
    /// # Errors
    ///
    /// If no port can be bound, or if the journal refuses the first line.
    pub async fn start(journal: impl Write + Send + 'static, beat: Duration) -> io::Result<Feed> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let (stopping, stop) = watch::channel(false);
        let (live, _) = broadcast::channel(WAITING);
        let Journal { kept, opened, writer } = journal::open(journal);
        let lines = Lines { live, kept };

        let mut parts = Parts::new(writer);
        let server = tokio::spawn(server::serve(listener, lines.live.clone(), stop.clone()));
        let beats = tokio::spawn(beats(lines.clone(), beat, stop.clone()));
        parts.tasks.extend((!fault!("server-goes-on")).then_some(server));
        parts.tasks.extend((!fault!("beats-go-on")).then_some(beats));
        if fault!("supervised") {
            parts.tasks.push(tokio::spawn(server::told_to_stop(stop)));
        }
        let feed = Feed { addr, lines, stopping, parts: Mutex::new(parts) };

        match opened.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())) {
            Ok(()) => Ok(feed),
            Err(refused) if fault!("refused-start-leaks") => {
                faults::leave(feed);
                Err(refused)
            }
            Err(refused) => {
                feed.stop().await;
                Err(refused)
            }
        }
    }

    /// Returns the address for subscribers.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sends `line` to every subscriber, and to the journal. After a stop, it does nothing.
    pub fn publish(&self, line: &str) {
        if !*self.stopping.borrow() {
            self.lines.publish(line);
        }
    }

    /// Ends the feed, and returns when everything that it started has ended.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        if fault!("journal-stays") {
            faults::keep_open(&self.lines.kept);
        }
        self.lines.kept.close();
        if fault!("told-and-not-awaited") {
            return;
        }
        if fault!("second-stop-returns") {
            return faults::end_unless_ending(&self.parts).await;
        }
        if fault!("cancelled-stop-forgets") {
            return faults::end_taken(&self.parts).await;
        }
        // A second stop waits here for the first. What a cancelled stop has left is still there.
        self.parts.lock().await.end().await;
        if fault!("farewell") {
            faults::say_farewell();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if fault!("drop-forgets") {
            return faults::forget(&self.stopping);
        }
        self.stopping.send_replace(true);
        self.lines.kept.close();
    }
}

async fn beats(lines: Lines, beat: Duration, mut stop: watch::Receiver<bool>) {
    let mut ticks = interval(beat);
    // The first tick comes at once.
    ticks.tick().await;
    loop {
        tokio::select! {
            () = server::stopped(&mut stop), if !fault!("beats-go-on") => return,
            _ = ticks.tick() => lines.publish("beat"),
        }
    }
}
