//! The faults, and the other right programs, that `COURSE_FAULT` switches on. Think of your own
//! faults before you look.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use testenv::fault;
use testenv::kafka::Message;
use tokio::time::timeout;

use crate::names::legal;
use crate::report::{self, Report};

/// A length that somebody thought was enough for the name of a test.
const SHORT_NAME: usize = 64;
/// Less than the second that R8 allows.
const LATE: Duration = Duration::from_millis(300);

/// A count for each test, which `count-per-test` keeps.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<HashMap<String, u64>>);

impl Counts {
    /// Returns another name, or `None` unless a fault or a variant of the names is on.
    pub(crate) fn name(&self, test: &str, token: &str, count: u64) -> Option<String> {
        if fault!("one-topic-per-test") {
            return Some(format!("{}.{token}", short(test)));
        }
        if fault!("name-from-milliseconds") {
            let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
            return Some(format!("{}.{token}.{now}", short(test)));
        }
        if fault!("count-per-test") {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let of_this_test = counts.entry(test.to_owned()).or_default();
            *of_this_test += 1;
            return Some(format!("{}.{token}.{of_this_test}", short(test)));
        }
        if fault!("process-forgotten") {
            return Some(format!("{}.{count}", short(test)));
        }
        if fault!("numbers-run-together") {
            return Some(format!("{}.{token}{count}", short(test)));
        }
        if fault!("test-cut-to-64") {
            let test: String = legal(test).chars().take(SHORT_NAME).collect();
            return Some(format!("{test}.{token}.{count}"));
        }
        if fault!("name-not-cut") {
            return Some(format!("{}.{token}.{count}", legal(test)));
        }
        if fault!("name-tells-nothing") {
            return Some(format!("t.{token}.{count}"));
        }
        if fault!("test-at-the-end") {
            return Some(format!("{token}.{count}.{}", short(test)));
        }
        None
    }
}

fn short(test: &str) -> String {
    legal(test).chars().take(crate::names::TEST_LIMIT).collect()
}

pub(crate) fn is_kept(c: char) -> bool {
    fault!("accents-kept") && c.is_alphanumeric()
}

/// What the wrong readers remember from one look at the topic to the next.
pub(crate) struct Reader<'a> {
    topic: &'a str,
    /// The messages that this reader passes over: place by partition and offset.
    skipped: Option<HashSet<Place>>,
    most: usize,
}

type Place = (Option<i32>, Option<i64>);

/// What the one consumer group has read: topics and places.
static COMMITTED: Mutex<Vec<(String, Place)>> = Mutex::new(Vec::new());

impl<'a> Reader<'a> {
    pub(crate) fn new(topic: &'a str) -> Reader<'a> {
        Reader { topic, skipped: None, most: 0 }
    }

    /// Returns the messages that this reader sees.
    pub(crate) fn seen(
        &mut self,
        mut messages: Vec<Message>,
        tag: &str,
        count: u64,
    ) -> Vec<Message> {
        if fault!("partition-zero-only") {
            messages.retain(|message| message.partition == Some(0));
        }
        if fault!("reads-from-the-end") {
            let skipped = self.skipped.get_or_insert_with(|| messages.iter().map(place).collect());
            messages.retain(|message| !skipped.contains(&place(message)));
        }
        if fault!("one-group-for-all") {
            self.skip_committed(&mut messages);
        }
        if fault!("stops-when-complete") {
            let complete = |read: &usize| {
                let numbers = messages[..*read].iter().filter_map(|m| report::number(m, tag));
                let expected = numbers.filter(|number| *number < count);
                expected.collect::<HashSet<u64>>().len() as u64 == count
            };
            let read = (0..=messages.len()).find(complete).unwrap_or(messages.len());
            messages.truncate(read);
        }
        messages
    }

    fn skip_committed(&mut self, messages: &mut Vec<Message>) {
        let mut committed = COMMITTED.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = self.skipped.get_or_insert_with(|| {
            let here = committed.iter().filter(|(topic, _)| topic == self.topic);
            here.map(|(_, place)| *place).collect()
        });
        messages.retain(|message| !skipped.contains(&place(message)));
        committed.extend(messages.iter().map(|message| (self.topic.to_owned(), place(message))));
    }

    /// Whether there are more messages than at the look before.
    pub(crate) fn has_news(&mut self, messages: &[Message]) -> bool {
        let before = std::mem::replace(&mut self.most, messages.len());
        messages.len() > before
    }
}

fn place(message: &Message) -> Place {
    (message.partition, message.offset)
}

pub(crate) fn is_own(found: &[u8], tag: &[u8]) -> bool {
    if fault!("tag-not-compared") {
        return true;
    }
    if fault!("tag-by-prefix") { found.starts_with(tag) } else { found == tag }
}

/// Returns the report, given the own numbers in the order in which they were read.
pub(crate) fn reported(mut report: Report, own: &[u64], count: u64) -> Report {
    if fault!("in-order-of-arrival") {
        let mut seen = HashSet::new();
        report.received = own.iter().copied().filter(|number| seen.insert(*number)).collect();
    }
    if fault!("every-copy-listed") {
        report.received = own.to_vec();
        report.received.sort_unstable();
    }
    if fault!("doubles-removed") {
        report.doubled.clear();
    }
    if fault!("double-hides-a-gap") && own.len() as u64 >= count {
        report.missing.clear();
    }
    report
}

/// Lets a little time pass in the variant that notices late that the limit is over.
pub(crate) async fn notice_late() {
    if fault!("limit-noticed-late") {
        timeout(LATE, pending::<()>()).await.unwrap_or_default();
    }
}
