//! The finished tests of task 26, to compare with yours.

use std::future::Future;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use task26_task_leaks::Feed;
use testenv::leaks::tokio;
use testenv::wait;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::timeout;

/// A stop takes milliseconds; a machine that is busy with a build may take a second.
const LIMIT: Duration = Duration::from_secs(5);

/// No beat comes during a test.
const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_stopped_feed_has_no_task_though_a_subscriber_is_connected() {
    let feed = Feed::start(io::sink(), Duration::from_millis(1)).await.unwrap();
    let mut subscriber = subscribe(&feed).await;
    assert_eq!(subscriber.next_line().await.unwrap().unwrap(), "beat");

    timeout(LIMIT, feed.stop()).await.expect("stop does not wait for a subscriber");

    assert_eq!(alive(), 0, "tasks after the stop");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_subscriber_that_does_not_read() {
    let feed = Feed::start(io::sink(), NEVER).await.unwrap();
    let _silent = subscribe(&feed).await;
    // More than the buffers of a connection hold.
    for _ in 0..16 {
        feed.publish(&"x".repeat(1 << 20));
        yield_now().await;
    }

    timeout(LIMIT, feed.stop()).await.expect("stop does not wait for a subscriber");

    assert_eq!(alive(), 0, "tasks after the stop");
}

#[tokio::test]
async fn a_stopped_feed_has_written_its_journal() {
    let journal = Journal::default();
    let feed = Feed::start(journal.clone(), NEVER).await.unwrap();
    feed.publish("rain");
    feed.publish("sun");

    feed.stop().await;
    feed.publish("too late");

    assert_eq!(journal.text(), "opened\nrain\nsun\n");
}

#[tokio::test]
async fn a_stop_waits_for_the_journal_and_so_does_a_second_one() {
    let (journal, disk) = Slow::new();
    let feed = Feed::start(journal, NEVER).await.unwrap();
    feed.publish("rain");

    let mut one = pin!(feed.stop());
    let mut two = pin!(feed.stop());
    pends(one.as_mut(), "the first stop").await;
    pends(two.as_mut(), "the second stop").await;

    drop(disk);
    timeout(LIMIT, async { tokio::join!(one, two) }).await.expect("both stops end");
}

#[tokio::test]
async fn a_stop_waits_though_one_before_was_cancelled() {
    let (journal, disk) = Slow::new();
    let feed = Feed::start(journal, NEVER).await.unwrap();
    feed.publish("rain");
    pends(pin!(feed.stop()), "the first stop").await;

    let mut again = pin!(feed.stop());
    pends(again.as_mut(), "the stop after a cancelled one").await;

    drop(disk);
    timeout(LIMIT, again).await.expect("it ends");
}

#[tokio::test]
async fn a_start_that_fails_leaves_nothing() {
    let refused = Feed::start(Full, NEVER).await;

    assert!(refused.is_err());
    assert_eq!(alive(), 0, "tasks after a start that failed");
}

#[tokio::test]
async fn a_subscriber_that_goes_takes_its_task_along() {
    let feed = Feed::start(io::sink(), NEVER).await.unwrap();
    let before = alive();
    let subscriber = subscribe(&feed).await;

    drop(subscriber);

    let gone = wait::until(LIMIT, "the end of the subscriber's task", async || {
        if alive() == before { Ok(()) } else { Err(format!("{} tasks", alive())) }
    });
    gone.await.unwrap();
    feed.stop().await;
}

/// The harness looks after the test.
#[tokio::test]
async fn a_dropped_feed_ends() {
    let feed = Feed::start(io::sink(), NEVER).await.unwrap();
    let _connected = subscribe(&feed).await;

    drop(feed);
}

fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Connects, and waits until the feed knows the subscriber.
async fn subscribe(feed: &Feed) -> Lines<BufReader<TcpStream>> {
    let stream = TcpStream::connect(feed.addr()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "hello");
    lines
}

/// Lets everything else run for a while. The stop may not end, however long that is.
async fn pends(mut stop: impl Future<Output = ()> + Unpin, which: &str) {
    let early = timeout(Duration::from_millis(100), &mut stop).await;
    assert!(early.is_err(), "{which} returned before the journal was written");
    // On a busy machine, that moment may have passed before anything else ran: now it runs.
    for _ in 0..100 {
        tokio::select! {
            biased;
            () = &mut stop => panic!("{which} returned before the journal was written"),
            () = yield_now() => {}
        }
    }
}

#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<u8>>>);

impl Journal {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that takes the first line, and the rest when the test drops the other end.
struct Slow {
    held: Option<mpsc::Receiver<()>>,
    is_open: bool,
}

impl Slow {
    fn new() -> (Slow, mpsc::Sender<()>) {
        let (disk, held) = mpsc::channel();
        (Slow { held: Some(held), is_open: false }, disk)
    }
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_open
            && let Some(held) = self.held.take()
        {
            held.recv().unwrap_err();
        }
        self.is_open = true;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
