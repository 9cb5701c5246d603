//! Your tests for task 05. Begin here; the requirements stand in README.md.

use task05_random_port::Server;

/// A first server, to show how one is started. It proves almost nothing yet.
#[tokio::test]
async fn a_server_starts() {
    let server = Server::start().await.unwrap();

    assert!(server.addr().is_ipv4());
}

// Still to be tested. A test a fact, named after the fact:
// R1  two servers side by side
// R2  who can reach it
// R3  a request to its address
// R4  a request in flight while it shuts down: its answer
// R5  … and when shutdown returns
// R6  an idle connection while it shuts down
// R7  a new connection after that
