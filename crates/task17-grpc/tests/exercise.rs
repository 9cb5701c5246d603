//! Your tests for task 17. Begin here; the requirements stand in README.md.

use task17_grpc::Echo;
use task17_grpc::pb::SayRequest;

/// A first call, to show how a client is made. It proves almost nothing yet.
#[tokio::test]
async fn a_call_is_answered() {
    let mut client = Echo::new().client().await;

    let answer = client.say(SayRequest { text: "hello".into(), delay_ms: 0 }).await;

    assert!(answer.is_ok(), "{answer:?}");
}

// Still to be tested. A test a fact, named after the fact:
// R1  the text of the answer
// R2  an empty text, in both methods
// R3  metadata: text, binary, a name that comes twice; with an answer and with a refusal
// R4  the replies of a stream: all of them, once, in order
// R5  the trailer of a stream
// R6  a stream of more than 100 replies
// R7  when each reply comes: #[tokio::test(start_paused = true)] and tokio::time::Instant
// R8  the deadline, in both methods: the status, and when it comes
// R9  a client that goes away, in both methods: echo.in_progress()
// R10 the sockets of this process: before, during and after
