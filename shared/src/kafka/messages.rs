//! Messages of a topic, for tests that do not want to write a producer and a consumer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use super::aside::Aside;
use super::topic::Topic;
use crate::wait::{self, HeldClock};
use crate::{Error, Heading};

/// The client gives a message up after this time. A broker that starts takes a second to elect a leader.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// How long one look for messages takes, at most: a deadline is overrun by no more.
const LOOK: Duration = Duration::from_millis(50);

/// How much of a payload an error shows.
const SHOWN: usize = 80;

/// A message: the one to send, or the one that was read.
///
/// ```
/// use testenv::kafka::Message;
///
/// let paid = Message::new("paid").key("order-7").header("trace", "a1").partition(2);
/// assert_eq!((paid.text(), paid.key_text()), ("paid", "order-7"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The payload; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// The key. Without a key, the client chooses the partition by itself.
    pub key: Option<Vec<u8>>,
    /// Names and values, in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The partition. A message that was read has one.
    pub partition: Option<i32>,
    /// The place in its partition. Only a message that was read has one.
    pub offset: Option<i64>,
}

impl Message {
    /// A message with this payload.
    pub fn new(payload: impl Into<Vec<u8>>) -> Message {
        Message { payload: Some(payload.into()), ..Message::default() }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Message {
        self.key = Some(key.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Message {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// Sets the partition, from 0 on.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Message {
        self.partition = Some(partition);
        self
    }

    /// The payload as text.
    ///
    /// # Panics
    ///
    /// If there is no payload, or the payload is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        text(self.payload.as_deref(), "payload")
    }

    /// The key as text.
    ///
    /// # Panics
    ///
    /// If there is no key, or the key is not UTF-8.
    #[track_caller]
    pub fn key_text(&self) -> &str {
        text(self.key.as_deref(), "key")
    }
}

#[track_caller]
fn text<'a>(bytes: Option<&'a [u8]>, what: &str) -> &'a str {
    let bytes = bytes.unwrap_or_else(|| panic!("the message has no {what}"));
    std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("the {what} is not UTF-8: {bytes:?}"))
}

impl From<&str> for Message {
    fn from(payload: &str) -> Message {
        Message::new(payload)
    }
}

impl Topic {
    /// Sends a message. Returns when a broker has it.
    ///
    /// # Errors
    ///
    /// If no broker takes the message within ten seconds, or a broker refuses it.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), testenv::Error> {
    /// use testenv::kafka::Message;
    ///
    /// let topic = testenv::fresh_topic().await;
    /// topic.send("paid").await?;
    /// topic.send(Message::new("shipped").key("order-7")).await?;
    /// # Ok(()) }
    /// ```
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        wait::expect_runtime("a topic")?;
        let _until_it_is_sent = HeldClock::new();
        let failed = |cause: &KafkaError| {
            Error::under(Heading::Topic, format!("topic {} did not take a message", self.name))
                .cause(cause)
        };
        let producer = match self.producer.get() {
            Some(producer) => producer,
            None => {
                let made = producer(&self.brokers).map_err(|error| failed(&error))?;
                self.producer.get_or_init(|| Aside::new(made))
            }
        };
        let mut record = FutureRecord::<[u8], [u8]>::to(&self.name);
        record.payload = message.payload.as_deref();
        record.key = message.key.as_deref();
        record.partition = message.partition;
        if !message.headers.is_empty() {
            let headers = message.headers.iter();
            record.headers = Some(headers.fold(OwnedHeaders::new(), |all, (key, value)| {
                all.insert(Header { key, value: value.as_deref() })
            }));
        }
        // Without a limit of its own, for that would be of tokio's clock.
        let sent = producer.send_result(record).map_err(|(error, _)| failed(&error))?;
        match sent.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(failed(&error)),
            Err(_) => Err(failed(&KafkaError::Canceled)),
        }
    }

    /// Reads the first `count` messages of the topic, from its beginning. Messages of one partition
    /// are in their order.
    ///
    /// # Errors
    ///
    /// If there are fewer after `limit`; the error shows those.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), testenv::Error> {
    /// use std::time::Duration;
    ///
    /// let topic = testenv::fresh_topic().await;
    /// topic.send("paid").await?;
    /// let read = topic.read(1, Duration::from_secs(5)).await?;
    /// assert_eq!(read[0].text(), "paid");
    /// # Ok(()) }
    /// ```
    pub async fn read(&self, count: usize, limit: Duration) -> Result<Vec<Message>, Error> {
        self.look(limit, Some(count)).await
    }

    /// Reads all messages that the topic holds now. It shows that there is none too many.
    ///
    /// # Errors
    ///
    /// If the broker does not give them within `limit`.
    pub async fn read_all(&self, limit: Duration) -> Result<Vec<Message>, Error> {
        self.look(limit, None).await
    }

    async fn look(&self, limit: Duration, count: Option<usize>) -> Result<Vec<Message>, Error> {
        wait::expect_runtime("a topic")?;
        let (brokers, name, partitions) =
            (self.brokers.clone(), self.name.clone(), self.partitions);
        let given_up = GivenUp::default();
        let flag = given_up.0.clone();
        // A blocking thread: a clock that the test has stopped does not leap over the limit.
        let read = tokio::task::spawn_blocking(move || {
            read(&brokers, &name, partitions, limit, count, &flag)
        });
        read.await.expect("the thread that reads is neither cancelled nor panics")
    }
}

/// Tells the thread that reads that nobody waits for it any more: a runtime waits for its blocking
/// threads.
#[derive(Default)]
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn producer(brokers: &str) -> Result<FutureProducer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("message.timeout.ms", SEND_LIMIT.as_millis().to_string())
        // Nobody sends more at once: to wait for more is to wait.
        .set("linger.ms", "0")
        .create()
}

fn read(
    brokers: &str,
    topic: &str,
    partitions: i32,
    limit: Duration,
    count: Option<usize>,
    given_up: &AtomicBool,
) -> Result<Vec<Message>, Error> {
    let start = Instant::now();
    let failed = |cause: &KafkaError| {
        Error::under(Heading::Topic, format!("topic {topic} cannot be read")).cause(cause)
    };
    let consumer =
        Aside::new(consumer(brokers, topic, partitions).map_err(|error| failed(&error))?);
    let (mut read, mut ended, mut last) = (Vec::new(), BTreeSet::new(), None);
    loop {
        let is_done = match count {
            Some(count) => read.len() >= count,
            None => ended.len() >= partitions as usize,
        };
        if is_done {
            return Ok(read);
        }
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() || given_up.load(Ordering::Relaxed) {
            return Err(too_few(topic, limit, count, &read, last));
        }
        match consumer.poll(left.min(LOOK)) {
            None => {}
            Some(Ok(message)) => read.push(owned(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            // A broker that is away, for now.
            Some(Err(error)) => last = Some(error),
        }
    }
}

fn consumer(brokers: &str, topic: &str, partitions: i32) -> Result<BaseConsumer, KafkaError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        // It joins no group; the client wants a name all the same.
        .set("group.id", topic)
        .set("enable.auto.commit", "false")
        // Where the first messages were deleted.
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "10")
        .create()?;
    let mut from = TopicPartitionList::new();
    for partition in 0..partitions {
        // A number: a consumer that asks for the beginning looks it up half a second late.
        from.add_partition_offset(topic, partition, Offset::Offset(0))?;
    }
    consumer.assign(&from)?;
    Ok(consumer)
}

fn too_few(
    topic: &str,
    limit: Duration,
    count: Option<usize>,
    read: &[Message],
    last: Option<KafkaError>,
) -> Error {
    let wanted = count.map_or("the end".to_owned(), |count| format!("{count} messages"));
    let found: Vec<String> = read.iter().map(shown).collect();
    let error = Error::under(
        Heading::Missing,
        format!("still missing after {limit:?}: {wanted} of topic {topic}"),
    )
    .tried(format!("read {}: [{}]", read.len(), found.join(", ")));
    match last {
        Some(last) => error.cause(last),
        None => error,
    }
}

fn shown(message: &Message) -> String {
    let payload = String::from_utf8_lossy(message.payload.as_deref().unwrap_or_default());
    format!("{:?}", payload.chars().take(SHOWN).collect::<String>())
}

fn owned(message: &BorrowedMessage<'_>) -> Message {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    Message {
        payload: message.payload().map(<[u8]>::to_vec),
        key: message.key().map(<[u8]>::to_vec),
        headers: headers
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect(),
        partition: Some(message.partition()),
        offset: Some(message.offset()),
    }
}
