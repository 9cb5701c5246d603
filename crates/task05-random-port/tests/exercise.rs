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
// R2  who can reach the server
// R3  a request to addr()
// R4  a request that is in flight when shutdown is called: its answer
// R5  … and when shutdown returns
// R6  an idle connection when shutdown is called
// R7  a new connection after the call of shutdown, and the port after its return
