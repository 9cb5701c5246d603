//! What a topic of a test's own costs, beside what a user would write instead; all on one broker, in one run.
//!
//! `cargo bench --profile dev -p shared --features kafka,integration --bench services`: the profile that tests run in. Without
//! `integration`, on the mock broker.

#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::time::{Duration, Instant};

use testenv::kafka::Message;

/// Of ours.
const SAMPLES: usize = 100;
/// Of a broker for each test, which takes seconds.
const FEW: usize = 3;
/// Thirty tests a second.
const PAUSE: Duration = Duration::from_millis(33);
/// For one message.
const LIMIT: Duration = Duration::from_secs(20);
/// A user of the topic sends and reads so many.
const MESSAGES: usize = 10;

/// Set in a process that is a run of its own: the broker has to start.
const COLD: &str = "BENCH_COLD";

fn main() {
    if std::env::var_os(COLD).is_some() {
        let start = Instant::now();
        drop(runtime().block_on(testenv::fresh_topic()));
        return println!("{}", start.elapsed().as_millis());
    }
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!("profile {profile}, {SAMPLES} samples of ours, milliseconds");
    // The first one waits for the broker.
    let first = runtime().block_on(testenv::fresh_topic());

    let ours = sample(SAMPLES, async |_| drop(testenv::fresh_topic().await));
    let by_hand = sample(SAMPLES, async |number| by_hand::topic(first.brokers(), number).await);
    let brokers = sample(FEW, async |_| by_hand::broker().await);
    let goal = if cfg!(feature = "integration") { 100.0 } else { 10.0 };
    for percent in [50, 95] {
        let mine = p(&ours, percent);
        for (other, theirs, most) in [
            (by_hand::TOPIC, p(&by_hand, percent), 1.2),
            (by_hand::BROKER, p(&brokers, percent), 1.0),
        ] {
            println!(
                "fresh_topic: p{percent}: ours {mine:.1}, {other} {theirs:.1}, ratio {:.2}, goal {most}: {}; goal {goal}: {}",
                mine / theirs,
                met(mine <= most * theirs),
                met(mine <= goal)
            );
        }
    }

    let one = p(&sample(10, async |_| round().await), 50);
    let ten = p(
        &sample(10, async |_| {
            tokio::join!(
                round(),
                round(),
                round(),
                round(),
                round(),
                round(),
                round(),
                round(),
                round(),
                round()
            );
        }),
        50,
    );
    println!(
        "ten tests at once, {MESSAGES} messages there and back each: p50: {ten:.0}, one alone {one:.0}, ratio {:.2}, goal 2: {}",
        ten / one,
        met(ten <= 2.0 * one)
    );

    let cold: Vec<Duration> = (0..FEW).map(|_| cold()).collect();
    let cold = p(&cold, 50);
    println!("the first topic of a run: p50: {cold:.0}, goal 4000: {}", met(cold <= 4000.0));
}

/// A test: a topic, messages there and back.
async fn round() {
    let topic = testenv::fresh_topic().await;
    for number in 0..MESSAGES {
        topic.send(Message::new(number.to_string())).await.unwrap();
    }
    assert_eq!(topic.read(MESSAGES, LIMIT).await.unwrap().len(), MESSAGES);
}

fn cold() -> Duration {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .env(COLD, "1")
        .env("TESTENV_RUN_ID", format!("cold-{}-{:?}", std::process::id(), Instant::now()))
        .stderr(std::process::Stdio::null())
        .output()
        .unwrap();
    let millis = String::from_utf8(output.stdout).unwrap();
    Duration::from_millis(millis.trim().parse().unwrap())
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

/// Each sample has a runtime of its own, as `#[tokio::test]` gives it.
fn sample(count: usize, work: impl AsyncFn(usize)) -> Vec<Duration> {
    let one = |number| {
        std::thread::park_timeout(PAUSE);
        let start = Instant::now();
        runtime().block_on(work(number));
        start.elapsed()
    };
    (0..count).map(one).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn p(samples: &[Duration], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_secs_f64() * 1000.0
}

fn met(yes: bool) -> &'static str {
    if yes { "met" } else { "short" }
}
