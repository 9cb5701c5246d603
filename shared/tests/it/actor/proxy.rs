//! The parts that play with proxies.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use testenv::fresh_proxy;

use crate::echo::Echo;
use crate::{Held, held, nothing, runtime};

pub(crate) fn play(part: &str) -> Option<Held> {
    match part {
        "proxy" => return held(runtime().block_on(fresh_proxy(Echo::start().address))),
        "proxy to itself" => return held(runtime().block_on(fresh_proxy(loopback()))),
        "proxy to kafka" => {
            return held(runtime().block_on(async {
                let topic = testenv::fresh_topic().await;
                (fresh_proxy(topic.brokers()).await, topic)
            }));
        }
        "redis through proxies" => {
            return held(runtime().block_on(async {
                let redis = testenv::fresh_redis().await;
                let mut proxies = Vec::new();
                for _ in 0..8 {
                    let proxy = fresh_proxy(redis.url()).await;
                    let client = redis::Client::open(proxy.url()).unwrap();
                    let mut client = client.get_multiplexed_async_connection().await.unwrap();
                    let pong: String = redis::cmd("PING").query_async(&mut client).await.unwrap();
                    assert_eq!(pong, "PONG");
                    proxies.push(proxy);
                }
                (proxies, redis)
            }));
        }
        "sixteen proxies" => return held(runtime().block_on(many(16))),
        "a proxy after the other" => {
            for _ in 0..30 {
                runtime().block_on(async { drop(many(1).await) });
            }
        }
        _ => return None,
    }
    nothing()
}

async fn many(count: usize) -> Vec<testenv::Proxy> {
    let upstream = Echo::start().address;
    let mut proxies = Vec::new();
    for _ in 0..count {
        proxies.push(fresh_proxy(upstream).await);
    }
    proxies
}

/// A server on 127.0.0.1, which a container cannot reach.
fn loopback() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    address
}

/// Tests that run at once, each on a thread of its own, with a proxy each; says how many there were.
pub(crate) fn crowd(count: usize) {
    let upstream = Echo::start().address;
    let test = |number: usize| {
        runtime().block_on(async {
            let proxy = fresh_proxy(upstream).await;
            // Half of them have no network for a while: nobody else may notice.
            if number.is_multiple_of(2) {
                proxy.cut().await.unwrap();
                assert!(is_refused(proxy.address()), "{proxy:?} is cut");
                std::thread::park_timeout(Duration::from_millis(30));
                proxy.heal().await.unwrap();
            }
            let mut stream = TcpStream::connect(proxy.address()).unwrap();
            let word = format!("{number:08}");
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(word.as_bytes()).unwrap();
            let mut heard = [0; 8];
            stream.read_exact(&mut heard).unwrap();
            assert_eq!(heard, word.as_bytes(), "{proxy:?}");
        });
    };
    std::thread::scope(|scope| {
        for number in 0..count {
            scope.spawn(move || test(number));
        }
    });
}

/// Whether nobody answers. A port that the engine publishes accepts, and closes.
fn is_refused(address: &str) -> bool {
    let heard = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.read(&mut [0])
    });
    match heard {
        Ok(count) => count == 0,
        Err(error) => {
            [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset].contains(&error.kind())
        }
    }
}
