//! Your tests. The README lists the requirements; `cargo course check task15` says which broken programs get past them.

use task15_shared_broker::{Lane, Names};

#[tokio::test]
async fn a_lane_sends_ten_messages() {
    let names = Names::new("7f3a-4711");
    let topic = testenv::fresh_topic().await;
    let lane = Lane::new(&topic, &names.topic("a_lane_sends_ten_messages"));

    let answer = lane.send(0..10).await;

    assert!(answer.is_ok(), "{answer:?}");
}

// This test is green, and it would be green if every test had the same name and nobody read the messages.
// Begin with `lane.check(10, limit)`, and compare the whole report. Then make a second name and a second lane.
//
// Still to be tested:
//   R1  every call gives another name: for other tests, and for the same test again
//   R2  the names of two processes differ
//   R3  a name is legal, however long and strange the test's name is, and tells whose topic it is
//   R4  a check reads the whole topic, as often as it is asked for
//   R5  a message with another tag, or with none, is a stranger
//   R6  the report lists what came, what is missing, and what came more than once
//   R7  a check waits for what is missing, and for nothing else
//   R8  a check ends, also if strangers never stop coming
