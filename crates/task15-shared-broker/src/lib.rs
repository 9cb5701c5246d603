#![doc = "[before]: ../task14_shard/index.html\n[next]: ../task16_s3/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod names;
mod report;
mod faults;

use std::time::{Duration, Instant};

use testenv::{Error, Topic, fault};

pub use names::Names;
pub use report::Report;

/// The messages of one test in a topic: numbers, each with the test's tag.
///
/// ```no_run
/// # use std::time::Duration;
/// # use task15_shared_broker::{Lane, Report};
/// # async fn there_and_back() -> Result<(), testenv::Error> {
/// let topic = testenv::fresh_topic().await;
/// let lane = Lane::new(&topic, "orders-7");
/// lane.send(0..3).await?;
///
/// let report = lane.check(3, Duration::from_secs(5)).await?;
/// assert_eq!(report, Report { received: vec![0, 1, 2], ..Report::default() });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lane<'a> {
    topic: &'a Topic,
    tag: String,
}

impl<'a> Lane<'a> {
    /// Returns the lane with this tag. Two lanes of one topic are separate if their tags differ.
    pub fn new(topic: &'a Topic, tag: &str) -> Lane<'a> {
        Lane { topic, tag: tag.into() }
    }

    /// Sends one message for each number. Returns when the broker has all messages.
    ///
    /// # Errors
    ///
    /// If the broker does not take a message. The messages before this message are in the topic.
    pub async fn send(&self, numbers: impl IntoIterator<Item = u64>) -> Result<(), Error> {
        for number in numbers {
            self.topic.send(report::tagged(&self.tag, number)).await?;
        }
        Ok(())
    }

    /// Reads the whole topic and reports what it holds. The lane expects the numbers below `count`.
    ///
    /// Returns when all expected numbers are there. If a number is missing, `check` waits for it
    /// until `limit` is over, and reports it as missing after that.
    ///
    /// # Errors
    ///
    /// If the topic cannot be read even once within `limit`.
    pub async fn check(&self, count: u64, limit: Duration) -> Result<Report, Error> {
        let (mut start, mut last) = (Instant::now(), None);
        let mut reader = faults::Reader::new(self.topic.name());
        loop {
            // Every look begins at the first message: no offset is kept that others could move.
            match self.topic.read_all(limit.saturating_sub(start.elapsed())).await {
                Ok(messages) => {
                    let messages = reader.seen(messages, &self.tag, count);
                    let report = Report::of(&messages, &self.tag, count);
                    let is_complete = report.missing.is_empty() && !fault!("waits-out-the-limit");
                    if is_complete || fault!("late-is-missing") {
                        return Ok(report);
                    }
                    if fault!("limit-restarts") && reader.has_news(&messages) {
                        start = Instant::now();
                    }
                    last = Some(report);
                }
                Err(error) if last.is_none() => return Err(error),
                // The limit is over in the middle of a look: the look before counts.
                Err(_) => {}
            }
            if let Some(report) = last.take_if(|_| start.elapsed() >= limit) {
                faults::notice_late().await;
                return Ok(report);
            }
        }
    }
}
