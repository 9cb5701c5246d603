//! P3: a topic is private, and its messages are read as they were sent. In the plain tier on the mock broker.

use std::time::{Duration, Instant};

use testenv::kafka::Message;
use testenv::{fresh_topic, fresh_topic_with};

use crate::lab;

/// The first use of a real broker in a run.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_message_is_read_with_all_that_it_was_sent_with() {
    let topic = fresh_topic_with(3).await;
    let sent = [
        Message::new("paid")
            .key("order-7")
            .header("trace", "a1")
            .header("trace", "a2")
            .partition(2),
        Message::new("").partition(2),
        Message { payload: None, ..Message::default() }.key([0, 255]).partition(2),
    ];

    for message in &sent {
        topic.send(message.clone()).await.unwrap();
    }

    let read = topic.read(sent.len(), LIMIT).await.unwrap();
    let places: Vec<Option<i64>> = read.iter().map(|message| message.offset).collect();
    assert_eq!(places, [Some(0), Some(1), Some(2)]);
    let read = read.into_iter().map(|message| Message { offset: None, ..message });
    assert_eq!(read.collect::<Vec<_>>(), sent);
}

#[tokio::test]
pub(crate) async fn all_messages_of_all_partitions_are_read_and_no_strangers() {
    let (topic, other) = (fresh_topic_with(3).await, fresh_topic_with(3).await);
    for number in 0..30 {
        topic.send(Message::new(number.to_string()).partition(number % 3)).await.unwrap();
        other.send("a stranger").await.unwrap();
    }

    let read = topic.read_all(LIMIT).await.unwrap();

    assert_eq!(read.len(), 30);
    for partition in 0..3 {
        let of_it = read.iter().filter(|message| message.partition == Some(partition));
        let numbers: Vec<i32> = of_it.map(|message| message.text().parse().unwrap()).collect();
        assert_eq!(numbers, (0..30).filter(|it| it % 3 == partition).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_empty_topic_is_read_to_its_end() {
    let topic = fresh_topic_with(2).await;

    assert_eq!(topic.read_all(LIMIT).await.unwrap(), []);
}

#[tokio::test]
async fn what_was_read_is_said_when_messages_are_missing() {
    let topic = fresh_topic().await;
    topic.send("paid").await.unwrap();

    let missing = topic.read(2, Duration::from_secs(2)).await.unwrap_err().to_string();

    assert!(missing.starts_with("still missing after 2s: 2 messages of topic "), "{missing}");
    assert!(missing.contains(r#"tried: read 1: ["paid"]"#), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_clock_does_not_end_the_wait_for_a_message() {
    let topic = fresh_topic().await;
    let late = async {
        // On a thread: the clock of the test stands still.
        let pause = || std::thread::park_timeout(Duration::from_millis(300));
        tokio::task::spawn_blocking(pause).await.unwrap();
        topic.send("late").await.unwrap();
    };

    let (read, ()) = tokio::join!(topic.read(1, LIMIT), late);

    assert_eq!(read.unwrap()[0].text(), "late");
}

#[tokio::test]
async fn a_wait_for_a_message_that_never_comes_ends_at_its_limit() {
    let topic = fresh_topic().await;
    let start = Instant::now();

    let read = topic.read(1, Duration::from_millis(300)).await;

    assert!(read.is_err() && start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// A runtime waits for its blocking threads.
#[test]
fn a_read_that_nobody_waits_for_any_more_does_not_hold_up_the_end_of_the_test() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = Instant::now();

    let read = runtime.block_on(async {
        let topic = fresh_topic().await;
        let moment = Duration::from_millis(200);
        tokio::time::timeout(moment, topic.read(1, Duration::MAX)).await.map(drop)
    });
    drop(runtime);

    assert!(read.is_err() && start.elapsed() < LIMIT, "{:?}", start.elapsed());
}

#[tokio::test]
#[should_panic(expected = "a topic has at least one partition, not 0")]
async fn a_topic_without_partitions_is_refused() {
    drop(fresh_topic_with(0).await);
}

/// As many as a suite has, sixteen at a time; all 200 under full load.
#[tokio::test]
pub(crate) async fn two_hundred_tests_meet_no_stranger() {
    let count = lab::load(32, 200);
    let turn = std::sync::Arc::new(tokio::sync::Semaphore::new(16));
    let test = |number: usize| {
        let turn = turn.clone();
        async move {
            let _until_it_ends = turn.acquire().await.unwrap();
            let topic = fresh_topic().await;
            topic.send(number.to_string().as_str()).await.unwrap();
            let read = topic.read_all(LIMIT).await.unwrap();
            let texts: Vec<&str> = read.iter().map(Message::text).collect();
            assert_eq!(texts, [number.to_string()]);
        }
    };
    let mut tests: tokio::task::JoinSet<()> = (0..count).map(test).collect();

    while let Some(ended) = tests.join_next().await {
        ended.unwrap();
    }
}
