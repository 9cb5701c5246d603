//! The same ten tests before and after the way over from `#[sqlx::test]`: the lines that change,
//! and the time that they take on one server. Both are printed, in one run.
//!
//! `cargo bench --profile dev --features before`, or with one sample each: `cargo test --features
//! before --bench way_over`. `CARGO_TARGET_DIR` says where the tests are built, if not here.

use std::process::Command;
use std::time::{Duration, Instant};

use testenv::blocking;

fn main() {
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let (samples, db) = (if is_measured { 11 } else { 1 }, blocking::fresh_db());
    let run = |program: &str| {
        let began = Instant::now();
        let output =
            Command::new(program).env("DATABASE_URL", db.superuser_url()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("10 passed"), "{said}");
        began.elapsed()
    };
    let [before, after] = ["before", "after"].map(built);
    // In turns, so that both have the same machine.
    let times: Vec<(Duration, Duration)> =
        (0..samples).map(|_| (run(&before), run(&after))).collect();

    let [before, after] = [
        median(times.iter().map(|(before, _)| *before).collect()),
        median(times.iter().map(|(_, after)| *after).collect()),
    ];
    let ratio = after.as_secs_f64() / before.as_secs_f64();
    println!(
        "ten tests, median of {samples}: #[sqlx::test] {} ms, #[testenv::test] {} ms, ratio {ratio:.2}",
        before.as_millis(),
        after.as_millis()
    );
    let (before, after) = (times[0].0.as_millis(), times[0].1.as_millis());
    println!("the first of them, with the templates to build: {before} ms, {after} ms");
    println!("{}", changed(include_str!("../tests/before.rs"), include_str!("../tests/after.rs")));
}

/// The program of a test target.
fn built(target: &str) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--no-run", "--features", "before", "--test", target]);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let path = said.lines().rev().find_map(|line| line.trim().strip_prefix("Executable"));
    let path =
        path.and_then(|line| line.split(['(', ')']).nth(1)).unwrap_or_else(|| panic!("{said}"));
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).display().to_string()
}

/// The files differ in no number of lines.
fn changed(before: &str, after: &str) -> String {
    assert_eq!(before.lines().count(), after.lines().count());
    let number =
        before.lines().zip(after.lines()).filter(|(before, after)| before != after).count();
    format!("lines changed: {number} of {}", before.lines().count())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
