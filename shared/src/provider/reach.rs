//! Whether anybody listens at an address.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::address::{Address, Place};

/// A server or an engine on this machine or in its network answers in milliseconds. With two of
/// them, the whole choice stays within a second or so.
pub const REACH_LIMIT: Duration = Duration::from_millis(800);

/// Connects to the server of an address. If there are several brokers, to one that answers.
///
/// # Errors
///
/// Says what happened instead.
pub(crate) fn reach(address: &Address, limit: Duration) -> Result<(), String> {
    let until = Instant::now() + limit;
    let (tell, told) = mpsc::channel();
    // All at once: a broker that is down would take the time of those that are up.
    for place in address.places() {
        let (place, tell) = (place.clone(), tell.clone());
        std::thread::spawn(move || {
            let reached = open(&place, limit).map(drop);
            tell.send(reached.map_err(|why| format!("{why} at {place}")))
        });
    }
    drop(tell);
    let mut refused = Vec::new();
    loop {
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => refused.push(why),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(refused.join("; ")),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let places: Vec<String> = address.places().iter().map(Place::to_string).collect();
                return Err(format!("{} at {}", mute(limit), places.join(",")));
            }
        }
    }
}

/// Sends the first words of a protocol to the server of an address and returns the first byte of its answer.
///
/// # Errors
///
/// As [`reach`].
pub(crate) fn first_byte(
    address: &Address,
    greeting: &'static [u8],
    limit: Duration,
) -> Result<u8, String> {
    let place = address.places()[0].clone();
    let (tell, told) = mpsc::channel();
    within(limit, move || {
        let mut stream = open(&place, limit)?;
        let mut first = [0];
        let asked = stream.write_all(greeting).and_then(|()| stream.read_exact(&mut first));
        asked.map_err(|error| words(&error, limit))?;
        tell.send(first[0]).map_err(|error| error.to_string())
    })?;
    told.recv().map_err(|error| error.to_string())
}

trait Talk: Read + Write {}
impl<T: Read + Write> Talk for T {}

fn open(place: &Place, limit: Duration) -> Result<Box<dyn Talk>, String> {
    match place {
        Place::Tcp(host, port) => {
            connect((host.as_str(), *port), limit).map(|stream| Box::new(stream) as Box<dyn Talk>)
        }
        Place::Socket(path, port) => {
            let path = port.map_or(path.clone(), |port| path.join(format!(".s.PGSQL.{port}")));
            let stream = UnixStream::connect(&path).map_err(|error| words(&error, limit))?;
            stream.set_read_timeout(Some(limit)).map_err(|error| words(&error, limit))?;
            Ok(Box::new(stream))
        }
    }
}

pub(super) fn connect(address: impl ToSocketAddrs, limit: Duration) -> Result<TcpStream, String> {
    let addresses = address.to_socket_addrs().map_err(|error| error.to_string())?;
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => {
                let limited = stream.set_read_timeout(Some(limit));
                return limited.map(|()| stream).map_err(|error| words(&error, limit));
            }
            Err(error) => last = words(&error, limit),
        }
    }
    Err(last)
}

pub(super) fn within(
    limit: Duration,
    ask: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(ask()));
    told.recv_timeout(limit).unwrap_or_else(|_| Err(mute(limit)))
}

/// What an error of a stream with this limit says. At the limit, the system says `Resource temporarily
/// unavailable`, which is no reason that anybody can act on.
pub(super) fn words(error: &io::Error, limit: Duration) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => mute(limit),
        _ => error.to_string(),
    }
}

fn mute(limit: Duration) -> String {
    format!("no answer within {} ms", limit.as_millis())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::provider::REACH_LIMIT;
    use crate::service::{KAFKA, POSTGRES, REDIS};

    #[test]
    fn a_socket_is_reached_as_a_port_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        let _servers = ["redis.sock", ".s.PGSQL.5433"]
            .map(|name| UnixListener::bind(dir.path().join(name)).unwrap());
        let reach = |address: Result<Address, String>| reach(&address.unwrap(), REACH_LIMIT);

        assert_eq!(reach(REDIS.address(&format!("unix://{path}/redis.sock"))), Ok(()));
        assert_eq!(
            reach(POSTGRES.address(&format!("postgres:///db?host={path}&port=5433"))),
            Ok(())
        );
        let other = reach(POSTGRES.address(&format!("postgres:///db?host={path}"))).unwrap_err();
        assert!(other.contains("No such file"), "{other}");
    }

    #[test]
    fn a_server_that_is_mute_is_said_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("redis.sock");
        let (_socket, port) =
            (UnixListener::bind(&socket), TcpListener::bind("127.0.0.1:0").unwrap());
        let port = port.local_addr().unwrap().port();
        let limit = Duration::from_millis(20);

        for place in [Place::Socket(socket, None), Place::Tcp("127.0.0.1".into(), port)] {
            let mut stream = open(&place, limit).unwrap();
            let error = stream.read_exact(&mut [0]).unwrap_err();
            assert_eq!(words(&error, limit), "no answer within 20 ms", "{place}");
        }
    }

    #[test]
    fn of_several_brokers_one_that_answers_is_enough() {
        let (up, down) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
        let (up, down) = (up.unwrap(), down.unwrap().local_addr().unwrap());
        let list = format!("{down}, {}", up.local_addr().unwrap());

        assert_eq!(reach(&KAFKA.address(&list).unwrap(), REACH_LIMIT), Ok(()));
        let why = reach(&KAFKA.address(&down.to_string()).unwrap(), REACH_LIMIT).unwrap_err();
        assert!(why.contains("refused") && why.contains(&down.to_string()), "{why}");
    }
}
