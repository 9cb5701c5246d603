//! P3: a proxy is private, and does to its connections what it was told. The same tests try
//! Toxiproxy and, in the plain tier, the stand-in.
//!
//! Times have a lower bound that no load can break. Their upper bounds only tell a delay from none.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use testenv::Direction::{self, Downstream, Upstream};
use testenv::{Proxy, fresh_proxy};

use crate::echo::Echo;

const DELAY: Duration = Duration::from_millis(300);

/// For what must come.
const LIMIT: Duration = Duration::from_secs(20);

/// Long enough that what did not come meanwhile does not come.
const SILENCE: Duration = Duration::from_millis(400);

async fn proxied() -> Proxy {
    fresh_proxy(Echo::start().address).await
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Sends a word and hears its echo.
fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"word")?;
    let mut heard = [0; 4];
    stream.read_exact(&mut heard)?;
    assert_eq!(&heard, b"word");
    Ok(())
}

fn round_trip(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    echo(stream).unwrap();
    start.elapsed()
}

/// Of many, one is not held up by a busy machine; with a latency, none is quick.
fn quickest(stream: &mut TcpStream) -> Duration {
    (0..20).map(|_| round_trip(stream)).min().unwrap()
}

/// How a connection ended, while it was listened to.
fn end(stream: &mut TcpStream) -> Result<usize, ErrorKind> {
    stream.read(&mut [0; 64]).map_err(|error| error.kind())
}

#[tokio::test]
async fn latency_delays_each_direction_of_connections_new_and_old_until_it_is_healed() {
    let proxy = proxied().await;
    let mut old = connect(&proxy);
    assert!(quickest(&mut old) < DELAY, "nothing is delayed");

    proxy.latency(Downstream, DELAY).await.unwrap();
    assert!(round_trip(&mut old) >= DELAY);
    proxy.latency(Upstream, DELAY).await.unwrap();
    let mut new = connect(&proxy);
    assert!(round_trip(&mut old) >= 2 * DELAY);
    assert!(round_trip(&mut new) >= 2 * DELAY);
    // Replaced, not added.
    proxy.latency(Downstream, Duration::ZERO).await.unwrap();
    let one_way = round_trip(&mut new);
    assert!(one_way >= DELAY, "{one_way:?}");

    proxy.heal().await.unwrap();
    assert!(quickest(&mut new) < DELAY);
    assert!(quickest(&mut old) < DELAY);
}

#[tokio::test]
async fn jitter_varies_the_latency_by_no_more_than_itself() {
    let proxy = proxied().await;
    let mut stream = connect(&proxy);

    proxy.latency(Downstream, Duration::from_millis(100)).await.unwrap();
    proxy.jitter(Downstream, Duration::from_millis(50)).await.unwrap();

    let times: Vec<Duration> = (0..10).map(|_| round_trip(&mut stream)).collect();
    assert!(times.iter().all(|time| *time >= Duration::from_millis(50)), "{times:?}");
    let shortest = times.iter().min().unwrap();
    assert!(times.iter().any(|time| *time > *shortest + Duration::from_millis(10)), "{times:?}");
}

#[tokio::test]
async fn bandwidth_lets_no_more_through_than_it_says_and_loses_nothing() {
    for direction in [Upstream, Downstream] {
        let proxy = proxied().await;
        proxy.bandwidth(direction, 100).await.unwrap();
        let mut stream = connect(&proxy);
        let sent: Vec<u8> = (0..50_000_u32).map(|number| number as u8).collect();
        let mut heard = vec![0; sent.len()];

        let start = Instant::now();
        stream.write_all(&sent).unwrap();
        stream.read_exact(&mut heard).unwrap();

        // 500 ms. Toxiproxy counts its first piece as sent when it comes.
        assert!(start.elapsed() >= Duration::from_millis(380), "{:?}", start.elapsed());
        assert_eq!(heard, sent);
    }
}

#[tokio::test]
async fn a_timeout_of_zero_is_silent_for_ever_and_what_lost_data_is_closed_when_it_is_healed() {
    let proxy = proxied().await;
    let mut stream = connect(&proxy);
    echo(&mut stream).unwrap();

    proxy.timeout(Downstream, Duration::ZERO).await.unwrap();
    stream.write_all(b"word").unwrap();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    assert_eq!(end(&mut stream), Err(ErrorKind::WouldBlock), "neither an answer nor an end");

    proxy.heal().await.unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(end(&mut stream), Ok(0));
    echo(&mut connect(&proxy)).unwrap();
}

#[tokio::test]
async fn a_timeout_closes_the_connection_after_its_time() {
    let proxy = proxied().await;
    proxy.timeout(Downstream, DELAY).await.unwrap();

    let start = Instant::now();
    let mut stream = connect(&proxy);

    assert_eq!(end(&mut stream), Ok(0));
    assert!(start.elapsed() + Duration::from_millis(5) >= DELAY, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_reset_comes_after_its_time_as_a_reset() {
    for direction in [Upstream, Downstream] {
        let proxy = proxied().await;
        proxy.reset(direction, DELAY).await.unwrap();
        let mut stream = connect(&proxy);

        let start = Instant::now();
        stream.write_all(b"word").unwrap();

        assert_eq!(end(&mut stream), Err(ErrorKind::ConnectionReset), "{direction:?}");
        assert!(start.elapsed() >= DELAY, "{:?}", start.elapsed());
        proxy.heal().await.unwrap();
        echo(&mut connect(&proxy)).unwrap();
    }
}

#[tokio::test]
async fn a_reset_only_closes_what_was_open_before() {
    let proxy = proxied().await;
    let mut stream = connect(&proxy);
    echo(&mut stream).unwrap();

    proxy.reset(Downstream, Duration::ZERO).await.unwrap();
    stream.write_all(b"word").unwrap();

    assert_eq!(end(&mut stream), Ok(0));
}

#[tokio::test]
async fn a_cut_ends_connections_and_refuses_new_ones_until_it_is_healed() {
    let proxy = proxied().await;
    let mut stream = connect(&proxy);
    echo(&mut stream).unwrap();

    for _ in 0..2 {
        proxy.cut().await.unwrap();
    }

    assert!(!matches!(end(&mut stream), Ok(1..) | Err(ErrorKind::WouldBlock)));
    let refused = refusal(&proxy);
    for _ in 0..2 {
        proxy.heal().await.unwrap();
    }
    echo(&mut connect(&proxy)).unwrap();
    assert!(refused, "a new connection while it was cut");
}

fn refusal(proxy: &Proxy) -> bool {
    let refused = TcpStream::connect(proxy.address()).map_err(|error| error.kind());
    refused.err() == Some(ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn a_proxy_that_was_cut_in_the_middle_of_slow_data_is_healed_soon() {
    let proxy = proxied().await;
    proxy.latency(Downstream, Duration::from_secs(5)).await.unwrap();
    let mut stream = connect(&proxy);
    for _ in 0..5 {
        stream.write_all(&[0; 1000]).unwrap();
        std::thread::park_timeout(Duration::from_millis(20)); // as five pieces
    }

    let start = Instant::now();
    proxy.cut().await.unwrap();
    proxy.heal().await.unwrap();

    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    assert!(round_trip(&mut connect(&proxy)) < Duration::from_secs(5));
}

#[tokio::test]
pub(crate) async fn what_is_done_to_one_proxy_is_not_done_to_another() {
    let upstream = Echo::start().address;
    let (bad, good) = (fresh_proxy(upstream).await, fresh_proxy(upstream).await);
    let mut stream = connect(&good);
    let all = async |direction: Direction| {
        bad.latency(direction, LIMIT).await.unwrap();
        bad.bandwidth(direction, 1).await.unwrap();
        bad.timeout(direction, Duration::from_millis(1)).await.unwrap();
        bad.reset(direction, Duration::ZERO).await.unwrap();
    };
    all(Upstream).await;
    all(Downstream).await;
    bad.cut().await.unwrap();

    echo(&mut stream).unwrap();
    echo(&mut connect(&good)).unwrap();
    // Neither is one healed with the other.
    good.heal().await.unwrap();
    assert!(refusal(&bad));
}

#[tokio::test]
async fn an_end_of_the_client_is_heard_by_the_server_and_the_other_way_round() {
    let listener = std::net::TcpListener::bind((Echo::start().address.ip(), 0)).unwrap();
    let proxy = fresh_proxy(listener.local_addr().unwrap()).await;
    drop(listener.accept().unwrap()); // the look whether somebody listens
    let pair = || {
        let client = connect(&proxy);
        let server = listener.accept().unwrap().0;
        server.set_read_timeout(Some(LIMIT)).unwrap();
        (client, server)
    };

    let (client, mut server) = pair();
    drop(client);
    assert_eq!(end(&mut server), Ok(0));

    let (mut client, mut server) = pair();
    server.write_all(b"the end").unwrap();
    drop(server);
    let mut heard = String::new();
    client.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "the end");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_clock_does_not_end_a_call_and_a_latency_is_real_time() {
    let proxy = proxied().await;

    proxy.latency(Downstream, DELAY).await.unwrap();

    assert!(round_trip(&mut connect(&proxy)) >= DELAY);
}

#[test]
fn a_proxy_outlives_the_runtime_in_which_it_was_made() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let proxy = runtime().block_on(proxied());

    echo(&mut connect(&proxy)).unwrap();
    runtime().block_on(proxy.latency(Downstream, DELAY)).unwrap();

    assert!(round_trip(&mut connect(&proxy)) >= DELAY);
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_an_error_with_the_cure() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    let said = refused(format!("postgres://me:hunter2@{gone}/shop")).await;

    assert!(said.contains(&format!("nobody listens at {gone}")), "{said}");
    assert!(said.contains("to fix: start the server before the proxy"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn a_value_without_sense_is_an_error_with_the_cure() {
    let proxy = proxied().await;

    let narrow = proxy.bandwidth(Upstream, 0).await.unwrap_err().to_string();
    let slow = proxy.latency(Upstream, Duration::MAX).await.unwrap_err().to_string();

    assert!(narrow.contains("to fix: name at least 1 KB/s"), "{narrow}");
    assert!(slow.contains("longer than a day") && slow.contains("to fix: "), "{slow}");
    echo(&mut connect(&proxy)).unwrap();
}

#[tokio::test]
pub(crate) async fn the_password_of_an_upstream_is_said_nowhere() {
    let upstream = Echo::start().address;
    let proxy = fresh_proxy(format!("redis://me:hunter2@{upstream}/3")).await;

    assert_eq!(proxy.url(), format!("redis://me:hunter2@{}/3", proxy.address()));
    assert_eq!(format!("{proxy:?}"), format!("Proxy({} to {upstream})", proxy.address()));
    for wrong in ["redis://me:hunter2@/3", "amqp://me:hunter2@mq", "hunter2"] {
        let said = refused(wrong.to_owned()).await;
        assert!(said.contains("to fix: fresh_proxy(") && !said.contains("hunter2"), "{said}");
    }
}

/// What is said when no proxy can be made.
async fn refused(upstream: String) -> String {
    let made = tokio::spawn(async move { fresh_proxy(upstream).await }).await;
    *made.unwrap_err().into_panic().downcast::<String>().unwrap()
}
