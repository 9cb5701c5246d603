//! Whether anybody listens at an address.

#[cfg(all(feature = "integration", feature = "postgres"))]
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

/// Connects to the first address of a broker list (`host:port,host:port`) or of a URL (`scheme://user@host:port/path`).
///
/// # Errors
///
/// Says what happened instead, or that the text holds no address.
pub fn reach(text: &str, limit: Duration) -> Result<(), String> {
    let address = authority(text).ok_or(format!("`{text}` holds no host:port"))?.to_owned();
    let said = address.clone();
    within(limit, move || connect(&address, limit).map(drop))
        .map_err(|why| format!("{why} at {said}"))
}

/// Sends the first words of a protocol to the server of a URL and returns the first byte of its answer.
///
/// # Errors
///
/// As [`reach`].
#[cfg(all(feature = "integration", feature = "postgres"))]
pub(crate) fn first_byte(
    url: &str,
    greeting: &'static [u8],
    limit: Duration,
) -> Result<u8, String> {
    let address = authority(url).ok_or(format!("`{url}` holds no host:port"))?.to_owned();
    let (tell, told) = mpsc::channel();
    within(limit, move || {
        let mut stream = connect(&address, limit)?;
        let mut first = [0];
        let asked = stream.write_all(greeting).and_then(|()| stream.read_exact(&mut first));
        asked.map_err(|error| error.to_string())?;
        tell.send(first[0]).map_err(|error| error.to_string())
    })?;
    told.recv().map_err(|error| error.to_string())
}

pub(super) fn connect(address: &str, limit: Duration) -> Result<TcpStream, String> {
    let addresses = address.to_socket_addrs().map_err(|error| error.to_string())?;
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => {
                return stream
                    .set_read_timeout(Some(limit))
                    .map(|()| stream)
                    .map_err(|error| error.to_string());
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// `host:port` of a URL or of the first of a list.
pub(super) fn authority(text: &str) -> Option<&str> {
    let first = text.split(',').next()?;
    let after_scheme = first.split_once("://").map_or(first, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).trim();
    host.rsplit_once(':')
        .is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok())
        .then_some(host)
}

pub(super) fn within(
    limit: Duration,
    ask: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(ask()));
    told.recv_timeout(limit)
        .unwrap_or_else(|_| Err(format!("no answer within {} ms", limit.as_millis())))
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn the_address_of_a_list_or_a_url_is_its_first_host_and_port() {
        assert_eq!(authority("a:1,b:2"), Some("a:1"));
        assert_eq!(authority("postgres://user:pa@ss@db:5432/x?y=z"), Some("db:5432"));
        assert_eq!(authority("[::1]:9092"), Some("[::1]:9092"));
        assert_eq!(authority("localhost"), None);
        assert_eq!(authority("host:notaport"), None);
    }
}
