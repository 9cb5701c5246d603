//! Your tests. The README lists the requirements; `cargo course check task06` says which broken programs get past them.
#![cfg(feature = "integration")]

use std::time::Duration;

use task06_redis::Cache;

/// For entries that are not to end while a test looks at them.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_server_takes_an_entry() {
    let redis = testenv::fresh_redis().await;
    let cache = Cache::new(redis.connection().await, "shop");

    let answer = cache.set("apple", "1.20", LONG).await;

    assert!(answer.is_ok(), "{answer:?}");
}

// This test is green, and it would be green if the entry were never read, never ended, or were somebody else's.
// Begin with `cache.get("apple")`, then let an entry of 200 ms end: `testenv::wait::until` asks every 20 ms and has a limit.
//
// Still to be tested:
//   R1  the value read equals the value set: text or binary, empty or 900 000 bytes; also when read again
//   R2  a key that was never set is a miss: Ok(None)
//   R3  an entry is there until its time is over, and becomes a miss within one second after that
//   R4  reading an entry does not lengthen its life
//   R5  setting a key again replaces its value and its time
//   R6  different keys never collide, and equal keys of different namespaces never collide
//   R7  a failure of the server is an error, never a miss
//   R8  a time below a millisecond leaves no entry
