//! The finished suite of task 17, to compare with yours.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use task17_grpc::pb::{RepeatReply, RepeatRequest, SayRequest};
use task17_grpc::{Echo, sockets};
use testenv::leaks::tokio;
use testenv::wait;
use tokio::time::{Instant, timeout};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Status, Streaming};

/// All of this takes milliseconds; a machine that is busy with a build may take a second.
const LIMIT: Duration = Duration::from_secs(2);
/// In milliseconds. Longer than any test, so that nothing ends by itself.
const HOUR: u32 = 3_600_000;
/// In milliseconds, of a clock that stands still.
const MINUTE: u32 = 60_000;
/// How exact a time is: far less than a minute, and far more than the millisecond of tokio's clock.
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn every_character_of_a_text_comes_back() {
    let text = " \tgrüße\0, 世界\r\n ";
    let mut client = Echo::new().client().await;

    let reply = within(client.say(say(text, 0))).await.unwrap().into_inner();

    assert_eq!(reply.text, text);
}

#[tokio::test]
async fn an_empty_text_is_an_invalid_argument_in_both_methods() {
    let mut client = Echo::new().client().await;

    let answer = within(client.say(say("", 0))).await;
    let stream = within(client.repeat(repeat("", 1, 0))).await;

    assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument);
    let refusal = match stream {
        Ok(stream) => within(all(stream.into_inner())).await.1,
        Err(refusal) => Some(refusal),
    };
    assert_eq!(refusal.map(|status| status.code()), Some(Code::InvalidArgument));
}

#[tokio::test]
async fn metadata_comes_back_with_an_answer() {
    let mut client = Echo::new().client().await;

    let answer = within(client.say(tagged(say("hello", 0)))).await.unwrap();
    let stream = within(client.repeat(tagged(repeat("hello", 1, 0)))).await.unwrap();

    assert_tagged(answer.metadata());
    assert_tagged(stream.metadata());
}

#[tokio::test]
async fn metadata_comes_back_with_a_refusal() {
    let mut client = Echo::new().client().await;

    let refusal = within(client.say(tagged(say("", 0)))).await.unwrap_err();

    assert_tagged(refusal.metadata());
}

#[tokio::test]
async fn a_stream_has_each_reply_once_and_in_order_and_then_their_count() {
    let mut client = Echo::new().client().await;
    let mut stream = within(client.repeat(repeat("hello", 100, 0))).await.unwrap().into_inner();

    let (replies, error) = within(all_of(&mut stream)).await;
    let trailers = within(stream.trailers()).await.unwrap();

    assert!(error.is_none(), "{error:?}");
    assert_eq!(replies, (1..=100).map(hello).collect::<Vec<_>>());
    let trailers = trailers.expect("the stream ends with trailers");
    assert_eq!(trailers.get("sent-count").unwrap(), "100");
}

#[tokio::test]
async fn a_stream_that_is_too_long_fails_after_its_hundredth_reply() {
    let mut client = Echo::new().client().await;
    let stream = within(client.repeat(repeat("hello", 101, 0))).await.unwrap().into_inner();

    let (replies, error) = within(all(stream)).await;

    assert_eq!(replies.len(), 100);
    assert_eq!(error.map(|status| status.code()), Some(Code::ResourceExhausted));
}

#[tokio::test(start_paused = true)]
async fn each_reply_comes_when_it_is_due() {
    let mut client = Echo::new().client().await;
    let start = Instant::now();
    let call = client.repeat(repeat("hello", 3, MINUTE));
    let mut stream = within_a_day(call).await.unwrap().into_inner();

    for minutes in 0..3 {
        within_a_day(stream.message()).await.unwrap().expect("three replies");

        assert_late_by(start, Duration::from_mins(minutes));
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_given_up_at_the_deadline() {
    let mut client = Echo::new().client().await;
    let start = Instant::now();

    let request = limited(say("hello", HOUR), Duration::from_millis(500));
    let answer = within_a_day(client.say(request)).await;

    assert_eq!(answer.unwrap_err().code(), Code::DeadlineExceeded);
    assert_late_by(start, Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_begun_is_given_up_at_the_deadline() {
    let mut client = Echo::new().client().await;
    let start = Instant::now();
    let request = limited(repeat("hello", 10, MINUTE), Duration::from_secs(90));

    let stream = within_a_day(client.repeat(request)).await.unwrap().into_inner();
    let (replies, error) = within_a_day(all(stream)).await;

    assert_eq!(replies, [hello(1), hello(2)]);
    assert_eq!(error.map(|status| status.code()), Some(Code::DeadlineExceeded));
    assert_late_by(start, Duration::from_secs(90));
}

#[tokio::test]
async fn the_service_stops_when_a_reader_goes_away() {
    let echo = Echo::new();
    let mut client = echo.client().await;
    let mut stream = within(client.repeat(repeat("hello", 100, HOUR))).await.unwrap().into_inner();
    assert_eq!(within(stream.message()).await.unwrap(), Some(hello(1)));
    assert_eq!(echo.in_progress(), 1);

    drop(stream);

    until_in_progress(&echo, 0).await;
}

#[tokio::test]
async fn the_service_stops_when_a_caller_goes_away() {
    let echo = Echo::new();
    let mut client = echo.client().await;
    let call = tokio::spawn(async move { client.say(say("hello", HOUR)).await });
    until_in_progress(&echo, 1).await;

    call.abort();

    until_in_progress(&echo, 0).await;
}

/// All looks at the sockets are in this test: the tests of a process share its sockets.
#[tokio::test]
async fn a_call_opens_no_port_and_leaves_none_open() {
    // Not asserted to be empty: whoever started this process may have handed it a socket.
    let before = sockets::open().unwrap();
    let echo = Echo::new();
    let mut client = echo.client().await;
    let mut stream = within(client.repeat(repeat("hello", 2, HOUR))).await.unwrap().into_inner();
    within(stream.message()).await.unwrap().expect("a first reply");

    let during = sockets::open().unwrap();
    drop((stream, client));
    until_in_progress(&echo, 0).await;
    let after = sockets::open().unwrap();

    assert_eq!(&during - &before, BTreeSet::new(), "opened during the call");
    assert_eq!(&after - &before, BTreeSet::new(), "left open");
    // A proof that cannot fail proves nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let opened = &sockets::open().unwrap() - &before;
    let seen: Vec<_> = opened.iter().map(|socket| socket.local).collect();
    assert_eq!(seen, [listener.local_addr().unwrap()]);
}

fn say(text: &str, delay_ms: u32) -> SayRequest {
    SayRequest { text: text.into(), delay_ms }
}

fn repeat(text: &str, times: u32, interval_ms: u32) -> RepeatRequest {
    RepeatRequest { text: text.into(), times, interval_ms }
}

fn hello(number: u32) -> RepeatReply {
    RepeatReply { text: "hello".into(), number }
}

/// A request with a deadline, so long after now.
fn limited<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// A request with a text value, a binary value, and a name with two values.
fn tagged<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("echo-id", MetadataValue::from_static("7"));
    metadata.insert_bin("echo-trace-bin", MetadataValue::from_bytes(&[0, 255]));
    metadata.append("echo-tag", MetadataValue::from_static("one"));
    metadata.append("echo-tag", MetadataValue::from_static("two"));
    request
}

#[track_caller]
fn assert_tagged(metadata: &MetadataMap) {
    let texts = |name| metadata.get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(texts("echo-id"), ["7"]);
    assert_eq!(texts("echo-tag"), ["one", "two"]);
    let trace = metadata.get_bin("echo-trace-bin").map(|value| value.to_bytes().unwrap());
    assert_eq!(trace.as_deref(), Some(&[0, 255][..]));
}

/// Not before `due`, and less than a second after it.
#[track_caller]
fn assert_late_by(start: Instant, due: Duration) {
    let late = start.elapsed();
    assert!(due <= late && late < due + SECOND, "due after {due:?}, came after {late:?}");
}

/// What a stream has, and the error at its end.
async fn all(mut stream: Streaming<RepeatReply>) -> (Vec<RepeatReply>, Option<Status>) {
    all_of(&mut stream).await
}

async fn all_of(stream: &mut Streaming<RepeatReply>) -> (Vec<RepeatReply>, Option<Status>) {
    let mut replies = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(reply)) => replies.push(reply),
            Ok(None) => return (replies, None),
            Err(status) => return (replies, Some(status)),
        }
    }
}

async fn until_in_progress(echo: &Echo, calls: usize) {
    let reached =
        wait::until(LIMIT, "the number of calls in progress", async || match echo.in_progress() {
            now if now == calls => Ok(()),
            now => Err(format!("{now}, not {calls}")),
        });
    reached.await.unwrap();
}

/// For a clock that stands still: a limit longer than everything that a test waits for.
async fn within_a_day<T>(answer: impl Future<Output = T>) -> T {
    timeout(Duration::from_hours(24), answer).await.expect("an answer within a day")
}

async fn within<T>(answer: impl Future<Output = T>) -> T {
    timeout(LIMIT, answer).await.expect("an answer within the limit")
}
