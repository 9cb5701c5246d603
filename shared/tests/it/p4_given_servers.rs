//! P4 on somebody else's server: only what the run made there is removed, however the run ends.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::lab::{self, Lab, PROMISED};

pub(crate) fn topics(brokers: &str) -> BTreeSet<String> {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let metadata = client.fetch_metadata(None, Duration::from_secs(10)).unwrap();
    metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
}

#[test]
pub(crate) fn a_killed_run_leaves_no_topic_on_a_broker_that_it_was_given() {
    let theirs = Lab::new();
    let mut owner = theirs.actor("topic", "wait").env("TESTENV_RUN_ID", "theirs").spawn().unwrap();
    let their_topic = lab::line(&mut owner);
    let brokers = theirs.address_of("theirs", "kafka");

    let ours = Lab::new();
    let mut guest =
        ours.actor("topic", "wait").env("TESTENV_KAFKA_BROKERS", &brokers).spawn().unwrap();
    let our_topic = lab::line(&mut guest);
    assert_eq!(topics(&brokers), BTreeSet::from([their_topic.clone(), our_topic]));

    guest.kill().unwrap();

    guest.wait().unwrap();
    ours.expect_nothing_left(PROMISED);
    assert_eq!(topics(&brokers), BTreeSet::from([their_topic]));
    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}
