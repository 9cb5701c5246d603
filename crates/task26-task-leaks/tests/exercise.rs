//! Your tests of the feed. The README lists the requirements; `cargo course check task26` says which wrong feeds get past them.

use std::time::Duration;

use task26_task_leaks::Feed;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

/// A beginning: the feed works. What is left of it afterwards, this test does not see.
#[tokio::test]
async fn a_subscriber_reads_what_is_published() {
    let feed = Feed::start(std::io::sink(), Duration::from_secs(3600)).await.unwrap();
    let stream = TcpStream::connect(feed.addr()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "hello");

    feed.publish("rain");

    assert_eq!(lines.next_line().await.unwrap().unwrap(), "rain");
}

// Still to be written. Begin with one line at the top: `use testenv::leaks::tokio;`
//   R1  tokio::runtime::Handle::current().metrics().num_alive_tasks(), when stop has returned
//   R2  a journal that blocks until your test lets it go on
//   R3  a subscriber that stays connected, and one that does not read
//   R4  a journal that you can read
//   R5  a journal that refuses the first line
//   R6  a subscriber that goes, while the feed runs and nothing is published
//   R7  a second stop, and a stop after one that was dropped half-way
//   R8  drop
