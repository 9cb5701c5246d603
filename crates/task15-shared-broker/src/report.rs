//! What a lane finds in its topic.

use std::collections::BTreeMap;

use testenv::fault;
use testenv::kafka::Message;

use crate::faults;

/// The header that holds the tag of a message's lane.
const TAG: &str = "tag";

/// What a lane has read. The default is the report of an empty topic from which nothing is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The numbers of this lane that came, in ascending order, each once.
    pub received: Vec<u64>,
    /// The expected numbers that did not come, in ascending order.
    pub missing: Vec<u64>,
    /// The numbers of this lane that came more than once, in ascending order, each once.
    pub doubled: Vec<u64>,
    /// How many messages are not from this lane.
    pub strangers: usize,
}

impl Report {
    /// Sorts the messages of a topic for the lane `tag`, which expects the numbers below `count`.
    pub(crate) fn of(messages: &[Message], tag: &str, count: u64) -> Report {
        let (mut times, mut strangers) = (BTreeMap::<u64, usize>::new(), 0);
        for message in messages {
            match number(message, tag) {
                Some(number) => *times.entry(number).or_default() += 1,
                None if fault!("untagged-ignored") && tag_of(message).is_none() => {}
                None => strangers += 1,
            }
        }
        let doubled = times.iter().filter(|(_, times)| **times > 1);
        let report = Report {
            received: times.keys().copied().collect(),
            missing: (0..count).filter(|number| !times.contains_key(number)).collect(),
            doubled: doubled.map(|(number, _)| *number).collect(),
            strangers,
        };
        let own: Vec<u64> = messages.iter().filter_map(|message| number(message, tag)).collect();
        faults::reported(report, &own, count)
    }
}

/// The message of a lane. Its key spreads the messages of the lane over the partitions.
pub(crate) fn tagged(tag: &str, number: u64) -> Message {
    let message = Message::new(number.to_string());
    if fault!("tag-in-the-key") {
        return message.key(tag);
    }
    message.key(number.to_string()).header(TAG, tag)
}

/// The number of a message of the lane `tag`. A stranger has none.
pub(crate) fn number(message: &Message, tag: &str) -> Option<u64> {
    let found = tag_of(message)?;
    if !faults::is_own(found, tag.as_bytes()) {
        return None;
    }
    std::str::from_utf8(message.payload.as_deref()?).ok()?.parse().ok()
}

fn tag_of(message: &Message) -> Option<&[u8]> {
    if fault!("tag-in-the-key") {
        return message.key.as_deref();
    }
    let (_, tag) = message.headers.iter().find(|(name, _)| name == TAG)?;
    tag.as_deref()
}
