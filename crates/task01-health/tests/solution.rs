//! The finished suite of task 01, to compare with yours.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use task01_health::{router, serve};
use testenv::leaks::tokio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::ServiceExt;

/// An answer takes a millisecond; a machine that is busy with a build may take a second.
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn health_answers_200() {
    let response = ask(Method::GET, "/health").await;

    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn health_says_that_it_is_json() {
    let response = ask(Method::GET, "/health").await;

    let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap();
    assert!(content_type.starts_with("application/json"), "{content_type}");
}

#[tokio::test]
async fn health_decodes_to_ok_and_nothing_else() {
    let response = ask(Method::GET, "/health").await;

    let body = to_bytes(response.into_body(), 1024).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!({ "ok": true }));
}

#[tokio::test]
async fn a_post_to_health_is_not_allowed() {
    let response = ask(Method::POST, "/health").await;

    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_not_healthy() {
    let response = ask(Method::GET, "/heatlh").await;

    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_socket_gives_the_same_answer() {
    let (service, _ends_when_dropped) = start().await;

    let answer = get_health(service).await;

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("\r\ncontent-type: application/json"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), json!({ "ok": true }));
}

#[tokio::test]
async fn a_silent_client_keeps_nobody_waiting() {
    let (service, _ends_when_dropped) = start().await;
    let _silent = TcpStream::connect(service).await.unwrap();

    let answer = get_health(service).await;

    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// Asks the router in process: no socket, no port, no other task.
async fn ask(method: Method, path: &str) -> Response {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    router().oneshot(request).await.unwrap()
}

/// Starts the service on a port that the kernel chooses. It ends when the set is dropped.
async fn start() -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(async { drop(serve(listener).await) });
    (addr, server)
}

/// The whole answer, head and body, to `GET /health` over TCP.
///
/// `Connection: close` makes the end of the stream the end of the answer, so that nothing has to be parsed to find it.
async fn get_health(service: SocketAddr) -> String {
    let mut stream = TcpStream::connect(service).await.unwrap();
    let request = format!("GET /health HTTP/1.1\r\nHost: {service}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();

    let mut answer = String::new();
    timeout(LIMIT, stream.read_to_string(&mut answer))
        .await
        .expect("an answer within the limit")
        .unwrap();
    answer
}
