//! The wrong programs, and the other right ones, that `COURSE_FAULT` switches on.
//!
//! Think about mistakes of your own before you read on. A function returns its argument unchanged
//! unless its fault is on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use testenv::fault;

use crate::{KafkaFailure, Message};

/// Longer than the limit of any test, and short enough that a test without a limit still ends.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// The size of a buffer that somebody thought was large enough.
const BUFFER: usize = 64 * 1024;
/// Long enough for a broker to deliver all its messages: the fault must show on slow machines too.
const HOARDING: Duration = Duration::from_secs(1);

pub(crate) fn configure_publisher(config: &mut ClientConfig) {
    if fault!("compressed-batches") {
        config.set("compression.type", "lz4");
    }
    if fault!("lingering-publisher") {
        config.set("linger.ms", "50");
    }
    if fault!("idempotent-publisher") {
        config.set("enable.idempotence", "true");
    }
}

pub(crate) fn publish_limit(limit: Duration) -> Duration {
    if fault!("publish-limit-forgotten") { FORGOTTEN } else { limit }
}

pub(crate) fn read_limit(limit: Duration) -> Duration {
    if fault!("read-limit-forgotten") {
        return FORGOTTEN;
    }
    if fault!("read-limit-in-whole-seconds") {
        return Duration::from_secs(limit.as_secs());
    }
    noticed(limit)
}

pub(crate) fn noticed(limit: Duration) -> Duration {
    if fault!("limit-noticed-late") { limit + Duration::from_millis(300) } else { limit }
}

pub(crate) fn start(oldest: Offset) -> Offset {
    if fault!("reader-starts-at-end") {
        return Offset::End;
    }
    if fault!("offsets-from-one") { Offset::Offset(1) } else { oldest }
}

pub(crate) fn sent(mut message: Message) -> Message {
    if fault!("payload-cut") {
        message.payload.iter_mut().for_each(|payload| payload.truncate(BUFFER));
    }
    if fault!("key-dropped") {
        message.key = None;
    }
    if fault!("headers-dropped") {
        message.headers.clear();
    }
    if fault!("headers-in-a-map") {
        let last_wins: BTreeMap<_, _> = message.headers.drain(..).collect();
        message.headers = last_wins.into_iter().collect();
    }
    if fault!("headers-sorted") {
        message.headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    message
}

pub(crate) fn received(mut message: Message) -> Message {
    if fault!("payload-as-text") {
        let mended = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned().into_bytes();
        message.payload = message.payload.map(mended);
    }
    if fault!("tombstone-filled") {
        message.payload.get_or_insert_default();
    }
    if fault!("missing-key-filled") {
        message.key.get_or_insert_default();
    }
    message
}

pub(crate) fn fire_and_forget(
    producer: &FutureProducer,
    record: FutureRecord<'_, [u8], [u8]>,
) -> Result<(), KafkaFailure> {
    match producer.send_result(record) {
        Ok(_nobody_waits_for_it) => Ok(()),
        Err((refusal, _)) => Err(refusal.into()),
    }
}

/// The messages that `newest-first` has read from the broker and not yet returned.
#[derive(Default)]
pub(crate) struct Hoard(Mutex<Vec<Message>>);

impl Hoard {
    pub(crate) async fn newest_first(
        &self,
        next: impl AsyncFn(Duration) -> Result<Message, KafkaFailure>,
        limit: Duration,
    ) -> Result<Message, KafkaFailure> {
        if let Some(kept) = self.pop() {
            return Ok(kept);
        }
        self.push(next(limit).await?);
        while let Ok(newer) = next(HOARDING).await {
            self.push(newer);
        }
        Ok(self.pop().expect("one was pushed above"))
    }

    fn push(&self, message: Message) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }

    fn pop(&self) -> Option<Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
