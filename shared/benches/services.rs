//! What a topic, a bucket or a proxy of a test's own costs, beside what a user would write instead; each on one server, in
//! one run.
//!
//! `cargo bench --profile dev -p shared --features every-service,integration --bench services`: the profile that tests run
//! in. Without `integration`, on the embedded servers.

#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::time::{Duration, Instant};

#[path = "services/bucket.rs"]
mod bucket;
#[path = "services/cold.rs"]
mod cold;
#[path = "../tests/it/echo.rs"]
mod echo;
#[path = "services/proxy.rs"]
mod proxy;
#[path = "services/topic.rs"]
mod topic;

/// Of ours, and of the same by hand.
const SAMPLES: usize = 100;
/// Of a server for each test, which takes seconds.
const FEW: usize = 3;
/// Thirty tests a second.
const PAUSE: Duration = Duration::from_millis(33);

fn main() {
    if cold::is_asked_for() {
        return;
    }
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!("profile {profile}, {} samples of ours, milliseconds", times(SAMPLES));
    topic::bench();
    bucket::bench();
    proxy::bench();
    cold::bench();
}

/// What a user would write in the place of ours, and how many times of it ours may take.
struct Instead {
    name: &'static str,
    samples: Vec<Duration>,
    most: f64,
}

/// Prints ours beside the others. `goal` is for the median of ours, in milliseconds.
fn compare(name: &str, goal: f64, ours: &[Duration], others: &[Instead]) {
    if others.is_empty() {
        let mine = p(ours, 50);
        println!("{name}: p50: ours {mine:.1}, goal {goal} ms: {}", met(mine <= goal));
    }
    for other in others {
        for percent in [50, 95] {
            let (mine, theirs) = (p(ours, percent), p(&other.samples, percent));
            let goals = format!(
                ", goal {}: {}; goal {goal} ms: {}",
                other.most,
                met(mine <= other.most * theirs),
                met(mine <= goal)
            );
            println!(
                "{name}: p{percent}: ours {mine:.1}, {} {theirs:.1}, ratio {:.2}{}",
                other.name,
                mine / theirs,
                if percent == 50 { &goals } else { "" }
            );
        }
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

/// How many times something is measured: often under `cargo bench`, once under `cargo test --benches`, which only
/// shows that the benchmark works.
fn times(often: usize) -> usize {
    if std::env::args().any(|argument| argument == "--bench") { often } else { 1 }
}

fn p(samples: &[Duration], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_secs_f64() * 1000.0
}

fn met(yes: bool) -> &'static str {
    if yes { "met" } else { "short" }
}
