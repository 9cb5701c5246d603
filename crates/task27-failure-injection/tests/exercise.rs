//! Your tests. The README lists the requirements; `cargo course check task27` says which broken programs get past them.
#![cfg(feature = "integration")]

use std::time::Duration;

use task27_failure_injection::{Orders, Policy};

/// A first test, to show how the proxy stands in between. Nothing fails here yet.
#[tokio::test]
async fn an_order_is_placed_through_the_proxy() {
    let db = testenv::fresh_db().await;
    let proxy = testenv::fresh_proxy(db.url()).await;
    let ada = "INSERT INTO users (name, email) VALUES ('Ada', 'ada@shop.example') RETURNING id";
    let user: i64 = sqlx::query_scalar(ada).fetch_one(db.pool()).await.unwrap();
    let policy = Policy {
        attempt: Duration::from_secs(5),
        attempts: 3,
        pause: Duration::from_millis(100),
        budget: Duration::from_secs(60),
        connections: 2,
    };
    let orders = Orders::open(&proxy.url(), policy, async |_pause| {});

    let order = orders.place(user, 4200).await.unwrap();

    assert!(order > 0);
}

// Still to be tested. A test a fact, named after the fact:
//   R1   place and total, also with 500 ms of latency
//   R2   an attempt ends in time: without a connection, and without an answer
//   R3   total is tried again after a cut; not for ever
//   R4   a call ends within its budget
//   R5   the pauses
//   R6   an INSERT without an answer: what is reported, and how many orders are there?
//   R7   a place without a connection
//   R8   a place after an outage
//   R9   a call after a call that timed out
//   R10  what the server refuses, and a server that restarts
