//! What a database of a test's own costs on Redis, beside what a user would write instead; all on one server, in one run.
//!
//! `cargo bench --profile dev -p shared --features redis,integration --bench redis`: the profile that tests run in.

#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::time::{Duration, Instant};

const SAMPLES: usize = 100;
/// Thirty tests a second.
const PAUSE: Duration = Duration::from_millis(33);

fn main() {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!("profile {profile}, {} samples each, milliseconds", times(SAMPLES));
    // The first one waits for the server.
    let first = runtime().block_on(testenv::fresh_redis());

    let (ours, drops): (Vec<_>, Vec<_>) = sample(async || {
        let start = Instant::now();
        let redis = testenv::fresh_redis().await;
        ping(redis.connection().await).await;
        let answered = start.elapsed();
        let start = Instant::now();
        drop(redis);
        (answered, start.elapsed())
    })
    .into_iter()
    .unzip();
    // One database for all, emptied by each test, which only tests that run one at a time can share.
    let url = first.url().to_owned();
    let flushed = sample(async || {
        let start = Instant::now();
        let client = redis::Client::open(url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let () = redis::cmd("FLUSHDB").query_async(&mut connection).await.unwrap();
        ping(connection).await;
        start.elapsed()
    });
    let bare = sample(async || {
        let start = Instant::now();
        let client = redis::Client::open(url.as_str()).unwrap();
        ping(client.get_multiplexed_async_connection().await.unwrap()).await;
        start.elapsed()
    });

    for percent in [50, 95] {
        let ours = p(&ours, percent);
        for (other, theirs) in [
            ("one database, FLUSHDB, one test at a time", p(&flushed, percent)),
            ("a connection and an answer, nothing else", p(&bare, percent)),
        ] {
            let (ratio, goal) = (theirs / ours, if percent == 50 { 3.0 } else { 15.0 });
            println!(
                "fresh_redis to first answer: p{percent}: ours {ours:.1}, {other} {theirs:.1}, ratio {ratio:.1}, goal {goal}: {}",
                if ours <= goal { "met" } else { "short" }
            );
        }
    }
    let dropped = p(&drops, 99);
    let met = if dropped <= 1.0 { "met" } else { "short" };
    println!("drop: p99: ours {dropped:.2}, goal 1: {met}");
}

async fn ping(mut connection: redis::aio::MultiplexedConnection) {
    let pong: String = redis::cmd("PING").query_async(&mut connection).await.unwrap();
    assert_eq!(pong, "PONG");
}

/// Each sample has a runtime of its own, as `#[tokio::test]` gives it.
fn sample<T>(work: impl AsyncFn() -> T) -> Vec<T> {
    let one = |_| {
        std::thread::park_timeout(PAUSE);
        runtime().block_on(work())
    };
    (0..times(SAMPLES)).map(one).collect()
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
