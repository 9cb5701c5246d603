//! The finished suite: a topic for every test, a few strangers sent on purpose, and no sleep.

use std::collections::HashSet;
use std::future::pending;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use task15_shared_broker::{Lane, Names, Report};
use testenv::kafka::Message;
use testenv::{Error, fresh_topic, fresh_topic_with};
use tokio::time::timeout;

/// For what must come: many times what it takes.
const LIMIT: Duration = Duration::from_secs(5);
/// For the end of a check, whose own limit is shorter. A wrong check must fail the test, not hang it.
const END: Duration = Duration::from_secs(6);
/// For a check that waits in vain: many times what one look takes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Many times what one look takes, and shorter than `PATIENCE`.
const A_LOOK: Duration = Duration::from_secs(1);

/// One for the process: under nextest, every test is a process.
static NAMES: LazyLock<Names> = LazyLock::new(|| Names::new(&std::process::id().to_string()));

/// Ten tests that run at the same time on one broker.
mod reads_only_its_own_messages {
    macro_rules! tests {
        ($($test:ident)*) => {$(
            #[tokio::test]
            async fn $test() {
                super::alone_on_its_topic(stringify!($test)).await;
            }
        )*};
    }
    tests! { first second third fourth fifth sixth seventh eighth ninth tenth }
}

async fn alone_on_its_topic(test: &str) {
    let topic = fresh_topic_with(3).await;
    let lane = Lane::new(&topic, &NAMES.topic(test));

    lane.send(0..10).await.unwrap();

    assert_eq!(ended(lane.check(10, LIMIT)).await, complete(10));
}

#[test]
fn a_thousand_names_of_one_test_differ() {
    let names = Names::new("7f3a");

    let made: HashSet<String> = (0..1000).map(|_| names.topic("orders::paid")).collect();

    assert_eq!(made.len(), 1000);
}

#[test]
fn the_names_of_tests_that_look_alike_differ() {
    let names = Names::new("7f3a");
    let tests = ["a_b", "a/b", "a b", "a::b", "a.b", "a-b", "a:b", "ab", "A_b", ""];

    let made: HashSet<String> = tests.iter().map(|test| names.topic(test)).collect();

    assert_eq!(made.len(), tests.len(), "{made:?}");
}

#[test]
fn the_names_of_two_processes_differ() {
    let tokens = ["1", "11", "2", "7f3a-1", "7f3a-11"];

    let of = |token| {
        let names = Names::new(token);
        (0..20).map(move |_| names.topic("paid"))
    };
    let made: HashSet<String> = tokens.into_iter().flat_map(of).collect();

    assert_eq!(made.len(), tokens.len() * 20);
}

#[test]
fn a_name_is_legal_and_another_one_however_long_and_strange_the_test_is() {
    let names = Names::new(&"7".repeat(60));
    let long = "a_very_long_name".repeat(30);
    let tests = [long.as_str(), long.as_str(), "für::kunden", "заказ", "a test, in words", ""];

    let made: HashSet<String> = tests.iter().map(|test| names.topic(test)).collect();

    assert_eq!(made.len(), tests.len(), "{made:?}");
    for name in made {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        assert!((1..=249).contains(&name.len()) && name.chars().all(is_legal), "{name}");
    }
}

#[test]
fn a_name_contains_the_name_of_its_test() {
    let of_100_characters = "paid_order".repeat(10);
    for test in ["an_order_that_is_paid_is_sent", &of_100_characters] {
        let name = Names::new("7f3a").topic(test);

        assert!(name.contains(test), "{name}");
    }
}

#[tokio::test]
async fn a_check_reads_every_partition() {
    let topic = fresh_topic_with(3).await;
    for partition in 0..3 {
        topic.send(Message::new("who am I?").partition(partition)).await.unwrap();
    }

    let report = ended(Lane::new(&topic, "own").check(0, LIMIT)).await;

    assert_eq!(report, Report { strangers: 3, ..Report::default() });
}

#[tokio::test]
async fn a_second_check_finds_the_same_and_so_does_another_lane() {
    let topic = fresh_topic().await;
    let (own, other) = (Lane::new(&topic, "own"), Lane::new(&topic, "other"));
    own.send(0..3).await.unwrap();

    let (first, second) = (ended(own.check(3, LIMIT)).await, ended(own.check(3, LIMIT)).await);
    let others = ended(other.check(0, LIMIT)).await;

    assert_eq!((first, second), (complete(3), complete(3)));
    assert_eq!(others, Report { strangers: 3, ..Report::default() });
}

#[tokio::test]
async fn a_check_reads_on_behind_the_last_expected_message() {
    let topic = fresh_topic().await;
    let (own, other) = (Lane::new(&topic, "own"), Lane::new(&topic, "other"));
    own.send(0..3).await.unwrap();
    other.send(0..2).await.unwrap();

    let report = ended(own.check(3, LIMIT)).await;

    assert_eq!(report, Report { strangers: 2, ..complete(3) });
}

#[tokio::test]
async fn a_message_is_own_only_if_the_whole_tag_is_the_same() {
    let topic = fresh_topic().await;
    for tag in ["test-10", "test", "Test-1", " test-1", "other"] {
        Lane::new(&topic, tag).send(0..1).await.unwrap();
    }

    let report = ended(Lane::new(&topic, "test-1").check(0, LIMIT)).await;

    assert_eq!(report, Report { strangers: 5, ..Report::default() });
}

#[tokio::test]
async fn a_message_without_a_tag_is_a_stranger() {
    let topic = fresh_topic().await;
    let own = Lane::new(&topic, "own");
    own.send(0..1).await.unwrap();
    topic.send("0").await.unwrap();
    topic.send(Message { payload: None, ..Message::new("") }.key("7")).await.unwrap();

    let report = ended(own.check(1, LIMIT)).await;

    assert_eq!(report, Report { strangers: 2, ..complete(1) });
}

#[tokio::test]
async fn a_number_that_came_twice_is_reported_and_fills_no_gap() {
    let topic = fresh_topic().await;
    let own = Lane::new(&topic, "own");
    own.send([4, 0, 2, 2, 2, 0]).await.unwrap();

    let report = ended(own.check(5, PATIENCE)).await;

    let expected = Report {
        received: vec![0, 2, 4],
        missing: vec![1, 3],
        doubled: vec![0, 2],
        ..Report::default()
    };
    assert_eq!(report, expected);
}

#[tokio::test]
async fn a_check_that_finds_everything_does_not_wait_for_its_limit() {
    let topic = fresh_topic().await;
    let own = Lane::new(&topic, "own");
    own.send(0..3).await.unwrap();

    let a_minute = Duration::from_secs(60);
    let report = ended(own.check(3, a_minute)).await;

    assert_eq!(report, complete(3));
}

#[tokio::test]
async fn a_message_is_missing_only_when_the_limit_is_over() {
    let topic = fresh_topic().await;
    let own = Lane::new(&topic, "own");
    own.send([0]).await.unwrap();

    let start = Instant::now();
    let report = ended(own.check(2, PATIENCE)).await;

    assert!(start.elapsed() >= PATIENCE, "it gave up after {:?}", start.elapsed());
    assert_eq!(report, Report { missing: vec![1], ..complete(1) });
}

#[tokio::test]
async fn a_check_ends_although_strangers_keep_coming() {
    let topic = fresh_topic().await;
    let (own, noisy) = (Lane::new(&topic, "own"), Lane::new(&topic, "noisy"));
    let noise = async {
        // The check looks once before, and looks end between two messages: on a real broker, a look may not
        // end while somebody sends without a pause.
        loop {
            timeout(A_LOOK, pending::<()>()).await.unwrap_err();
            noisy.send([0]).await.unwrap();
        }
    };

    let report = tokio::select! {
        report = ended(own.check(1, PATIENCE)) => report,
        () = noise => unreachable!("it never stops"),
    };

    assert_eq!(report.missing, [0]);
}

/// The report of a check. A wrong check must fail the test, not hang it.
async fn ended(check: impl Future<Output = Result<Report, Error>>) -> Report {
    timeout(END, check).await.expect("the check ends").unwrap()
}

/// The report of a lane that has read everything, and nothing else.
fn complete(count: u64) -> Report {
    Report { received: (0..count).collect(), ..Report::default() }
}
