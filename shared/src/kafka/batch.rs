//! Tests that ask for topics at once get them by one request.
//!
//! A broker answers the requests of a connection one after the other, and takes 35 ms for a topic. For
//! ten in one request it takes hardly more.

use std::sync::mpsc::{self, Receiver, Sender};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaResult;
use tokio::sync::oneshot;

use super::real::TOPIC_LIMIT;
use crate::{Error, Heading};

/// A topic that a test wants.
struct Wish {
    name: String,
    partitions: i32,
    tell: oneshot::Sender<Result<(), String>>,
}

/// The thread that asks for the topics of all tests of this process. It is nobody's: a test that
/// blocks its runtime holds up no other.
pub(super) struct Maker {
    wishes: Sender<Wish>,
}

impl Maker {
    pub(super) fn start(admin: AdminClient<DefaultClientContext>) -> Result<Maker, Error> {
        let failed = |cause| Error::under(Heading::Machine, "cannot start a thread").cause(cause);
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
        let (wishes, wanted) = mpsc::channel();
        let make = move || runtime.block_on(make(&admin, &wanted));
        std::thread::Builder::new().name("testenv-topics".into()).spawn(make).map_err(failed)?;
        Ok(Maker { wishes })
    }

    /// Makes a topic, together with those that others want at this moment. Fails with the broker's
    /// words.
    pub(super) async fn make(&self, name: &str, partitions: i32) -> Result<(), String> {
        let (tell, told) = oneshot::channel();
        let gone = || "the thread that makes topics is gone".to_owned();
        self.wishes.send(Wish { name: name.to_owned(), partitions, tell }).map_err(|_| gone())?;
        told.await.unwrap_or_else(|_| Err(gone()))
    }
}

async fn make(admin: &AdminClient<DefaultClientContext>, wanted: &Receiver<Wish>) {
    let options =
        AdminOptions::new().operation_timeout(Some(TOPIC_LIMIT)).request_timeout(Some(TOPIC_LIMIT));
    while let Ok(first) = wanted.recv() {
        let wishes: Vec<Wish> = std::iter::once(first).chain(wanted.try_iter()).collect();
        let once = || TopicReplication::Fixed(1);
        let topics = wishes.iter().map(|wish| NewTopic::new(&wish.name, wish.partitions, once()));
        let topics: Vec<NewTopic<'_>> = topics.collect();
        let made = admin.create_topics(&topics, &options).await;
        for wish in wishes {
            wish.tell.send(result(&made, &wish.name)).ok(); // a test that was cancelled does not listen
        }
    }
}

/// What the broker says of one topic.
fn result(made: &KafkaResult<Vec<rdkafka::admin::TopicResult>>, name: &str) -> Result<(), String> {
    let topics = made.as_ref().map_err(ToString::to_string)?;
    let refused = topics.iter().filter_map(|topic| topic.as_ref().err());
    match refused.into_iter().find(|(of, _)| of == name) {
        Some((_, code)) => Err(code.to_string()),
        None => Ok(()),
    }
}
