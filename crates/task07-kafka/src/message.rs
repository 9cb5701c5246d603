//! The message that is sent, and its form in the Kafka client.

use std::fmt;

use rdkafka::message::{Header, Headers, Message as RawMessage, OwnedHeaders};
use rdkafka::producer::FutureRecord;

/// The only partition that is written and read: Kafka keeps the order only within a partition.
pub(crate) const PARTITION: i32 = 0;

/// A message from one service to another. Messages are equal if payload, key and headers are equal.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The content, any bytes. `None` is a tombstone, which deletes its key from a compacted topic;
    /// an empty payload deletes nothing.
    pub payload: Option<Vec<u8>>,
    /// The subject of the message, any bytes. `None` is not the empty key: messages with equal
    /// keys go to one partition.
    pub key: Option<Vec<u8>>,
    /// Names and values, in the sender's order. A name may repeat, and a value may be missing.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Message {
    /// Returns a message with this payload, without a key and without headers.
    pub fn new(payload: impl Into<Vec<u8>>) -> Message {
        Message { payload: Some(payload.into()), ..Message::default() }
    }

    /// Sets the key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Vec<u8>>) -> Message {
        self.key = Some(key.into());
        self
    }

    /// Adds a header after the existing ones.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Message {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    pub(crate) fn to_record<'a>(&'a self, topic: &'a str) -> FutureRecord<'a, [u8], [u8]> {
        let mut record = FutureRecord::to(topic).partition(PARTITION);
        record.payload = self.payload.as_deref();
        record.key = self.key.as_deref();
        record.headers(self.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: value.as_ref() })
        }))
    }

    pub(crate) fn from_raw(raw: &impl RawMessage) -> Message {
        let headers = raw.headers().into_iter().flat_map(Headers::iter);
        Message {
            payload: raw.payload().map(<[u8]>::to_vec),
            key: raw.key().map(<[u8]>::to_vec),
            headers: headers.map(|h| (h.key.into(), h.value.map(<[u8]>::to_vec))).collect(),
        }
    }
}

/// Prints bytes in readable form, `b"caf\xc3\xa9"`; of a long list, the beginning and the length.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name, value.as_deref().map(Readable)))
            .collect();
        f.debug_struct("Message")
            .field("payload", &self.payload.as_deref().map(Readable))
            .field("key", &self.key.as_deref().map(Readable))
            .field("headers", &headers)
            .finish()
    }
}

struct Readable<'a>(&'a [u8]);

impl fmt::Debug for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Room for all 256 values of a byte: a test that sends all of them can see all of them.
        const SHOWN: usize = 256;
        write!(f, "b\"{}\"", self.0[..self.0.len().min(SHOWN)].escape_ascii())?;
        if self.0.len() > SHOWN { write!(f, " and so on, {} bytes", self.0.len()) } else { Ok(()) }
    }
}
