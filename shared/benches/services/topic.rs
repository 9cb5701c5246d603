//! Topics.

use std::time::{Duration, Instant};

use testenv::kafka::Message;

use crate::{FEW, Instead, SAMPLES, compare, met, p, runtime, sample, times};

/// For one message.
const LIMIT: Duration = Duration::from_secs(20);
/// A user of the topic sends and reads so many.
const MESSAGES: usize = 10;

pub(crate) fn bench() {
    // The first one waits for the broker.
    let first = runtime().block_on(testenv::fresh_topic());

    let ours = sample(times(SAMPLES), async |_| drop(testenv::fresh_topic().await));
    let topics =
        sample(times(SAMPLES), async |number| by_hand::topic(first.brokers(), number).await);
    let brokers = sample(times(FEW), async |_| by_hand::broker().await);
    let goal = if cfg!(feature = "integration") { 100.0 } else { 10.0 };
    let others = [
        Instead { name: by_hand::TOPIC, samples: topics, most: 1.2 },
        Instead { name: by_hand::BROKER, samples: brokers, most: 1.0 },
    ];
    compare("fresh_topic", goal, &ours, &others);

    let one = p(&sample(10, async |_| round().await), 50);
    // Tests that run at once are threads with a runtime each.
    let at_once = || {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| runtime().block_on(round()));
            }
        });
        start.elapsed()
    };
    let ten = p(&(0..10).map(|_| at_once()).collect::<Vec<_>>(), 50);
    println!(
        "ten tests at once, {MESSAGES} messages there and back each: p50: {ten:.0}, one alone {one:.0}, ratio {:.2}, goal 2: {}",
        ten / one,
        met(ten <= 2.0 * one)
    );
}

/// A test: a topic, messages there and back.
async fn round() {
    let topic = testenv::fresh_topic().await;
    for number in 0..MESSAGES {
        topic.send(Message::new(number.to_string())).await.unwrap();
    }
    assert_eq!(topic.read(MESSAGES, LIMIT).await.unwrap().len(), MESSAGES);
}

/// What a user would write.
#[cfg(feature = "integration")]
mod by_hand {
    use rdkafka::ClientConfig;
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::client::DefaultClientContext;
    use testcontainers_modules::kafka::apache::Kafka;
    use testcontainers_modules::testcontainers::ImageExt;
    use testcontainers_modules::testcontainers::runners::AsyncRunner;
    use testenv::tools::{KAFKA, docker};

    pub(crate) const TOPIC: &str = "an admin client on the same broker";
    pub(crate) const BROKER: &str = "a container for each test";

    pub(crate) async fn topic(brokers: &str, number: usize) {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
        let name = format!("by-hand-{}-{number}", std::process::id());
        let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
        admin.create_topics([&topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    }

    pub(crate) async fn broker() {
        let image = docker::resolve(KAFKA.image).await.unwrap();
        let kafka = Kafka::default().with_jvm_image().with_name(image.name).with_tag(image.tag);
        drop(kafka.start().await.unwrap());
    }
}

/// What a user would write.
#[cfg(not(feature = "integration"))]
mod by_hand {
    use rdkafka::mocking::MockCluster;

    pub(crate) const TOPIC: &str = "a mock broker of the test's own";
    pub(crate) const BROKER: &str = "the same";

    pub(crate) async fn topic(_brokers: &str, _number: usize) {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic("by-hand", 1, 1).unwrap();
    }

    pub(crate) async fn broker() {
        topic("", 0).await;
    }
}
