//! The finished suite of task 05, to compare with yours.

use std::net::SocketAddr;
use std::time::Duration;

use task05_random_port::Server;
use testenv::leaks::tokio;
use testenv::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// All of this takes milliseconds; a machine that is busy with a build may take a second.
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn two_servers_side_by_side_answer_each_on_its_own_port() {
    let one = Server::start().await.unwrap();
    let two = Server::start().await.unwrap();

    let answers = (echo(one.addr(), "to one").await, echo(two.addr(), "to two").await);

    assert_ne!(one.addr(), two.addr());
    assert!(answers.0.ends_with("to one"), "{}", answers.0);
    assert!(answers.1.ends_with("to two"), "{}", answers.1);
}

#[tokio::test]
async fn nobody_beyond_this_machine_can_reach_it() {
    let server = Server::start().await.unwrap();

    assert!(server.addr().ip().is_loopback(), "{}", server.addr());
}

#[tokio::test]
async fn it_answers_at_the_address_that_it_tells() {
    let server = Server::start().await.unwrap();

    let answer = echo(server.addr(), "hello").await;

    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_request_in_flight_gets_its_whole_answer() {
    let server = Server::start().await.unwrap();
    let addr = server.addr();
    let request = InFlight::begin(addr, "hello").await;

    let shutdown = tokio::spawn(server.shutdown());
    refused(addr).await;
    let answer = request.end().await;

    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    timeout(LIMIT, shutdown).await.expect("shutdown ends").unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_returns_after_the_last_answer_and_not_before() {
    let server = Server::start().await.unwrap();
    let addr = server.addr();
    let request = InFlight::begin(addr, "hello").await;

    let shutdown = tokio::spawn(server.shutdown());
    refused(addr).await;

    assert!(!shutdown.is_finished(), "shutdown returned, and a request is still in flight");
    request.end().await;
    timeout(LIMIT, shutdown).await.expect("shutdown ends").unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_shutdown_up() {
    let server = Server::start().await.unwrap();
    let mut idle = connect(server.addr()).await;
    send(&mut idle, "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello").await;
    receive_until(&mut idle, "\r\n\r\nhello").await;

    let ended = timeout(LIMIT, server.shutdown()).await;

    ended.expect("shutdown ends, although a client keeps its connection").unwrap();
}

#[tokio::test]
async fn after_shutdown_new_connections_are_refused() {
    let server = Server::start().await.unwrap();
    let addr = server.addr();

    timeout(LIMIT, server.shutdown()).await.expect("shutdown ends").unwrap();

    refused(addr).await;
}

/// A request whose head the server has read, and whose body it waits for.
///
/// `Expect: 100-continue` shows that it has come that far: the server answers 100 when its handler asks for the body. So no test has to
/// guess how long that takes.
struct InFlight {
    stream: TcpStream,
    body: &'static str,
}

impl InFlight {
    async fn begin(addr: SocketAddr, body: &'static str) -> InFlight {
        let mut stream = connect(addr).await;
        let length = body.len();
        send(
            &mut stream,
            &format!(
                "POST /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
            ),
        )
        .await;
        receive_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
        InFlight { stream, body }
    }

    /// Sends the body and returns the answer.
    async fn end(mut self) -> String {
        send(&mut self.stream, self.body).await;
        receive_all(&mut self.stream).await
    }
}

/// The whole answer to `POST /echo`.
async fn echo(addr: SocketAddr, body: &'static str) -> String {
    InFlight::begin(addr, body).await.end().await
}

/// Returns when nobody listens at `addr` any more.
async fn refused(addr: SocketAddr) {
    let refused =
        wait::until(LIMIT, "a refused connection", async || match TcpStream::connect(addr).await {
            Ok(_) => Err("the connection was taken"),
            Err(_) => Ok(()),
        });
    refused.await.unwrap();
}

async fn connect(addr: SocketAddr) -> TcpStream {
    timeout(LIMIT, TcpStream::connect(addr)).await.expect("a connection within the limit").unwrap()
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// What comes until the server closes the connection.
async fn receive_all(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    timeout(LIMIT, stream.read_to_string(&mut text))
        .await
        .expect("an answer within the limit")
        .unwrap();
    text
}

/// Waits until what came ends with `end`.
async fn receive_until(stream: &mut TcpStream, end: &str) {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let read = timeout(LIMIT, stream.read_buf(&mut text))
            .await
            .expect("an answer within the limit")
            .unwrap();
        assert!(read > 0, "the server closed the connection before {end:?}");
    }
}
