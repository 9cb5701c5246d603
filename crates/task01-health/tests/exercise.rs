//! Your tests for task 01. Begin here; the requirements stand in README.md.

use axum::body::Body;
use axum::http::Request;
use task01_health::router;
use tower::ServiceExt;

/// A first call, to show how a router is asked without a socket. It proves almost nothing yet.
#[tokio::test]
async fn health_is_not_a_server_error() {
    let request = Request::get("/health").body(Body::empty()).unwrap();

    let response = router().oneshot(request).await.unwrap();

    assert!(!response.status().is_server_error());
}

// Still to be tested. A test a fact, named after the fact:
// R1  the status
// R2  the content type
// R3  the body
// R4  another method, another path
// R5  the same answer through a socket
// R6  a second client, while a first one is connected and sends nothing
