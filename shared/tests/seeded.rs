//! Tests that write down every value they chose at random (`SEEDED_OUT`, a directory), and of which
//! some fail on request (`SEEDED=fail`). `it/seed.rs` runs them.

use std::cell::RefCell;
use std::fmt::Debug;

use proptest::prelude::*;
use testenv::seed::rand::seq::SliceRandom;
use testenv::seed::{self, Stream};

fn told_to_fail() -> bool {
    std::env::var("SEEDED").is_ok_and(|told| told == "fail")
}

fn write(test: &str, values: impl Debug) {
    if let Some(dir) = std::env::var_os("SEEDED_OUT") {
        let path = std::path::Path::new(&dir).join(test);
        std::fs::write(path, format!("{values:#?}")).unwrap();
    }
}

fn numbers(mut stream: Stream) -> Vec<u64> {
    (0..100).map(|_| stream.next_u64()).collect()
}

#[test]
fn a_numbers() {
    write("a_numbers", (numbers(seed::stream()), numbers(seed::stream())));
}

#[test]
fn seed_of_the_run() {
    write("seed_of_the_run", seed::of_the_run().unwrap().value());
}

/// The same calls as the test before: only the name is another.
#[test]
fn b_numbers() {
    write("b_numbers", (numbers(seed::stream()), numbers(seed::stream())));
}

#[test]
fn c_shuffles_and_samples() {
    let mut stream = seed::stream();
    let mut cards: Vec<u8> = (0..52).collect();
    cards.shuffle(&mut stream);
    let sample: Vec<f64> = (0..20).map(|_| stream.random_range(0.0..1.0)).collect();

    write("c_shuffles_and_samples", (cards, sample));
}

#[test]
fn d_threads() {
    let stream = seed::stream();
    let workers = ["one", "two", "three"].map(|label| {
        let child = stream.child(label);
        std::thread::spawn(move || numbers(child))
    });

    write("d_threads", workers.map(|worker| worker.join().unwrap()));
}

#[tokio::test]
async fn e_tasks() {
    let stream = seed::stream();
    let child = stream.child("task");
    let task = tokio::spawn(async move { (numbers(child), numbers(seed::stream_for("shared"))) });

    write("e_tasks", task.await.unwrap());
}

#[test]
fn f_properties() {
    let seen = RefCell::new(Vec::new());

    proptest!(seed::proptest(ProptestConfig::with_cases(32)), |(value in any::<u64>())| {
        seen.borrow_mut().push(value);
    });

    write("f_properties", seen.into_inner());
}

#[cfg(all(feature = "integration", feature = "factories"))]
#[tokio::test]
async fn g_factories() {
    let db = testenv::fresh_db().await;
    let mut rows = Vec::new();
    for _ in 0..10 {
        let user = testenv::factories::user(&db).insert().await;
        let order = testenv::factories::order(&db, &user).insert().await;
        rows.push((user.name, order.total_cents));
    }

    write("g_factories", rows);
}

#[test]
fn panics_after_its_stream_is_gone() {
    numbers(seed::stream());

    assert!(!told_to_fail());
}

#[test]
fn returns_err() -> Result<(), String> {
    numbers(seed::stream());

    if told_to_fail() { Err("as told".into()) } else { Ok(()) }
}

#[test]
fn uses_no_seed() {
    assert!(!told_to_fail());
}
