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
//   R1  the value read is the value set: any bytes, empty, long, as often as it is asked for
//   R2  a key that was never set is a miss: Ok(None)
//   R3  an entry is there until its time is over, and a miss one second later at the latest
//   R4  reading does not lengthen an entry's life
//   R5  setting again replaces the value and the time
//   R6  different keys and different namespaces never meet
//   R7  a failure of the server is an error, not a miss
//   R8  a time below a millisecond leaves no entry
