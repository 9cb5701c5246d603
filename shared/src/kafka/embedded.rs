//! The mock broker: librdkafka's own, in this process, on loopback.
//!
//! It supports produce, fetch, offsets and groups. It does not support admin requests (topics are
//! created through its handle) or `read_committed`.

use std::sync::{OnceLock, mpsc};

use rdkafka::mocking::MockCluster;

use super::topic::{Topic, Used, unique};
use crate::provider::announce;
use crate::verdict::Told;
use crate::{Error, Heading};

/// The thread that owns the mock. The mock's handle may not leave this thread.
struct Owner {
    brokers: String,
    orders: mpsc::Sender<Order>,
}

struct Order {
    topic: String,
    partitions: i32,
    done: mpsc::Sender<Result<(), String>>,
}

/// Creates a topic. Returns the brokers and the topic's name.
pub(super) async fn make(test: &str, partitions: i32) -> Result<(String, String), Error> {
    static OWNER: OnceLock<Result<Owner, Error>> = OnceLock::new();
    let owner = OWNER.get_or_init(start).as_ref().map_err(Clone::clone)?;
    let refused = |cause: String| {
        Error::under(Heading::Topic, "the mock broker refused a topic").cause(cause)
    };

    // The mock is of this process only, so its number is token enough.
    let name = unique(test, "mock");
    let (done, told) = mpsc::channel();
    let order = Order { topic: name.clone(), partitions, done };
    owner.orders.send(order).map_err(|_| refused("its thread is gone".into()))?;
    // A call into the same process, without I/O: microseconds.
    told.recv().map_err(|_| refused("its thread is gone".into()))?.map_err(refused)?;
    Ok((owner.brokers.clone(), name))
}

/// Says that a failed test's topic cannot be read: the broker ends with the process.
pub(super) fn read(topic: &Topic) -> Used {
    let stays = format!("topic {} is gone with its broker, which ran in this process", topic.name);
    let more = vec!["use a broker that keeps it: add --features integration".to_owned()];
    Used { told: Told { stays, open: None, more } }
}

fn start() -> Result<Owner, Error> {
    let (orders, taken) = mpsc::channel::<Order>();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mock = match MockCluster::new(1) {
            Ok(mock) => mock,
            Err(error) => return drop(tell.send(Err(error.to_string()))),
        };
        drop(tell.send(Ok(mock.bootstrap_servers())));
        for order in taken {
            let made = mock
                .create_topic(&order.topic, order.partitions, 1)
                .map_err(|error| error.to_string());
            drop(order.done.send(made));
        }
    });
    let failed =
        |cause: String| Error::under(Heading::Start, "the mock broker did not start").cause(cause);
    let brokers = told.recv().map_err(|_| failed("its thread died".into()))?.map_err(failed)?;
    announce(
        "kafka",
        "embedded, librdkafka's mock broker in this process (the feature `integration` is off)",
    );
    Ok(Owner { brokers, orders })
}
