//! The finished suite of task 02, to compare with yours.
//!
//! `Suite` is built anew in each test: a static would never be dropped and leave its files behind.

use std::net::SocketAddr;
use std::time::Duration;

use task02_feature_gate::{Outcome, Suite};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;

/// The suite gives up on a silent service after two seconds; a machine that is busy with a build may need a few more.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_plain_build_holds_the_plain_test_alone() {
    let suite = Suite::build(&[]);

    assert_eq!(suite.listed(), ["a_503_is_not_healthy"]);
}

#[tokio::test]
async fn a_plain_run_runs_the_plain_test_and_needs_no_service() {
    let suite = Suite::build(&[]);
    let absent = absent_service();

    let outcome = run(&suite, absent.local_addr().unwrap()).await;

    assert_eq!(outcome, Outcome { passed: 1, failed: 0, ignored: 0 });
}

#[test]
fn the_feature_adds_one_test() {
    let (plain, gated) = (Suite::build(&[]), Suite::build(&["integration"]));

    assert_eq!(gated.listed().len(), plain.listed().len() + 1);
}

#[tokio::test]
async fn with_the_feature_both_tests_run_and_pass() {
    let suite = Suite::build(&["integration"]);

    let outcome = run(&suite, healthy_service().await).await;

    assert_eq!(outcome, Outcome { passed: 2, failed: 0, ignored: 0 });
}

#[tokio::test]
async fn without_its_service_the_gated_test_fails() {
    let suite = Suite::build(&["integration"]);
    let absent = absent_service();

    let outcome = run(&suite, absent.local_addr().unwrap()).await;

    assert_eq!(outcome, Outcome { passed: 1, failed: 1, ignored: 0 });
}

#[tokio::test]
async fn with_an_ill_service_the_gated_test_fails() {
    let suite = Suite::build(&["integration"]);

    let outcome = run(&suite, ill_service().await).await;

    assert_eq!(outcome, Outcome { passed: 1, failed: 1, ignored: 0 });
}

/// The gate at work in this very file: compiled, listed and run with `--features integration`, and unknown without.
#[cfg(feature = "integration")]
#[tokio::test]
async fn a_running_service_is_healthy() {
    let service = healthy_service().await;
    let mut stream = tokio::net::TcpStream::connect(service).await.unwrap();

    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer))
        .await
        .expect("an answer within the limit")
        .unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with(r#"{"ok":true}"#), "{answer}");
}

async fn run(suite: &Suite, service: SocketAddr) -> Outcome {
    timeout(LIMIT, suite.run(service)).await.expect("an outcome within the limit")
}

/// The service of task 01 on a port that the kernel chooses; it ends with the test's runtime.
async fn healthy_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(task01_health::serve(listener));
    addr
}

/// A port where nobody listens. It is bound, so that nobody else can begin to, for as long as the socket lives.
fn absent_service() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

/// A service that answers every request with 503.
async fn ill_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream
                .write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                .await
                .unwrap();
            stream.shutdown().await.unwrap();
            // To close with unread bytes would reset the connection, and the client might lose the answer.
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        }
    });
    addr
}
