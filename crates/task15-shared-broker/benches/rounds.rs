//! What ten tests at once cost on one broker, beside one test alone.
//!
//! A round is what a test does: a fresh topic, ten messages, a check. Each round has a thread and a
//! runtime of its own, as `#[tokio::test]` gives it.
//!
//! `cargo bench --profile dev -p task15-shared-broker`: the profile that tests run in.

#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::time::{Duration, Instant};

use task15_shared_broker::{Lane, Report};

const SAMPLES: usize = 20;
const AT_ONCE: usize = 10;
const MESSAGES: u64 = 10;
const LIMIT: Duration = Duration::from_secs(10);
/// Ten rounds at once take at most twice the time of one.
const GOAL: f64 = 2.0;

fn main() {
    // The first round waits for the broker.
    round();

    let alone = median(|| side_by_side(1));
    let together = median(|| side_by_side(AT_ONCE));

    let ratio = together / alone;
    let met = if ratio <= GOAL { "met" } else { "short" };
    println!(
        "median of {}, milliseconds: one round {alone:.0}, {AT_ONCE} rounds at once {together:.0}, ratio {ratio:.2}, goal {GOAL}: {met}",
        times(SAMPLES)
    );
}

/// How many times something is measured: often under `cargo bench`, once under `cargo test --benches`, which only
/// shows that the benchmark works.
fn times(often: usize) -> usize {
    if std::env::args().any(|argument| argument == "--bench") { often } else { 1 }
}

/// Sends and checks ten messages. No message crosses, also while it is measured.
fn round() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let topic = testenv::fresh_topic().await;
        let lane = Lane::new(&topic, "own");
        lane.send(0..MESSAGES).await.unwrap();
        let report = lane.check(MESSAGES, LIMIT).await.unwrap();
        assert_eq!(
            report,
            Report { received: (0..MESSAGES).collect(), ..Report::default() },
            "{topic:?}"
        );
    });
}

/// How long this many rounds at once take.
fn side_by_side(rounds: usize) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..rounds {
            scope.spawn(round);
        }
    });
    start.elapsed()
}

fn median(sample: impl Fn() -> Duration) -> f64 {
    let mut samples: Vec<Duration> = (0..times(SAMPLES)).map(|_| sample()).collect();
    samples.sort();
    samples[samples.len() / 2].as_secs_f64() * 1000.0
}
