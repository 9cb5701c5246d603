//! The server behind a proxy, as a test names it: `host:port`, or a URL.
//!
//! Invariant: neither what is printed of an upstream nor an error holds anything of its text but
//! the host and the port, because the rest may be a password.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::provider::REACH_LIMIT;
use crate::{Error, Heading, wait};

/// The usual ports, by scheme. (With TLS a client compares the certificate's name, too.)
const PORTS: &[(&str, u16)] = &[
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("rediss", 6379),
    ("valkey", 6379),
    ("valkeys", 6379),
    ("http", 80),
    ("ws", 80),
    ("https", 443),
    ("wss", 443),
];

/// An upstream, in the three parts of its text.
#[derive(Clone)]
pub(super) struct Upstream {
    /// Up to the host: the scheme and the login.
    before: String,
    /// `host:port`
    place: String,
    after: String,
}

impl Upstream {
    pub(super) fn read(text: &str) -> Result<Upstream, Error> {
        let text = text.trim();
        let wrong = |cause: &str| {
            Error::under(
                Heading::Proxy,
                "the upstream of the proxy has no address that can be read",
            )
            .cause(cause)
            .fix("fresh_proxy(\"<host>:<port>\"), or a URL with a host: fresh_proxy(db.url())")
        };
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        // The rest of a password that was not quoted, unless it is plainly a part of a query.
        let is_place =
            authority.split_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok());
        let path = after.split('?').next().unwrap_or_default();
        if path.contains('@') || after.contains('@') && !authority.contains('@') && !is_place {
            return Err(wrong(
                "an `@` comes after a `/`, `?` or `#`: write these in a password as %2F, %3F, %23",
            ));
        }
        let at = authority.rfind('@').map_or(0, |at| at + 1);
        let (login, place) = authority.split_at(at);
        if place.contains(',') {
            return Err(wrong("it names several hosts, and a proxy leads to one"));
        }
        let is_libpq = scheme.is_some_and(|scheme| scheme.starts_with("postgres"));
        let is_place =
            |pair: &str| ["host=", "hostaddr=", "port="].iter().any(|name| pair.starts_with(name));
        if is_libpq && after.split(['?', '&']).skip(1).any(is_place) {
            return Err(wrong("its host or port stands behind the `?`: write it before the path"));
        }
        let usual = |scheme: &str| {
            PORTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme)).map(|(_, port)| *port)
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                let number = port.parse().ok().filter(|port: &u16| *port > 0);
                (host, Some(number.ok_or_else(|| wrong("its port is no number from 1 to 65535"))?))
            }
            _ => (place, scheme.and_then(usual)),
        };
        let port = port.ok_or_else(|| wrong("it names no port"))?;
        let is_number = |host: &str| {
            host.strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'))
                .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok())
        };
        let is_name = |host: &str| {
            !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c))
        };
        if !is_name(host) && !is_number(host) {
            return Err(wrong(if host.is_empty() {
                "it names no host"
            } else {
                "its host is none"
            }));
        }
        let before = scheme.map(|scheme| format!("{scheme}://{login}")).unwrap_or_default();
        Ok(Upstream { before, place: format!("{host}:{port}"), after: after.to_owned() })
    }

    /// `host:port`
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The text with another `host:port` in the place of its own.
    pub(super) fn at(&self, place: &str) -> String {
        format!("{}{place}{}", self.before, self.after)
    }

    /// Whether it is a server of this machine, as this machine names it.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.place)
    }

    /// Whether the host is a name, which somebody has to know.
    pub(super) fn is_name(&self) -> bool {
        number(&self.place).is_none()
    }

    /// Makes sure that somebody listens there. Call it on a runtime that has a network.
    pub(super) async fn expect_there(self) -> Result<(), Error> {
        reachable(&self.place, REACH_LIMIT).await.map_err(|cause| {
            Error::under(
                Heading::Proxy,
                format!("nobody listens at {}, the upstream of the proxy", self.place),
            )
            .cause(cause)
            .fix("start the server before the proxy: fresh_proxy(…) connects to it once")
        })
    }
}

/// Whether `host:port` is on this machine, as this machine names it.
pub(super) fn is_loopback(place: &str) -> bool {
    number(place).map_or_else(
        || place.to_ascii_lowercase().starts_with("localhost:"),
        |number| number.is_loopback(),
    )
}

/// The host of `host:port`, if it is a number.
fn number(place: &str) -> Option<IpAddr> {
    place.rsplit_once(':')?.0.trim_matches(['[', ']']).parse().ok()
}

/// Connects to `host:port` once.
pub(super) async fn reachable(place: &str, limit: Duration) -> Result<(), String> {
    match wait::within(limit, TcpStream::connect(place)).await {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(format!("no answer within {} ms", limit.as_millis())),
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_proxy_is_the_upstreams_with_another_host_and_port() {
        for (text, place, url) in [
            ("127.0.0.1:5432", "127.0.0.1:5432", "PROXY"),
            ("[::1]:80", "[::1]:80", "PROXY"),
            (
                "postgres://me:p%40ss@db/shop?sslmode=disable",
                "db:5432",
                "postgres://me:p%40ss@PROXY/shop?sslmode=disable",
            ),
            ("redis://:secret@127.0.0.1:7000/3", "127.0.0.1:7000", "redis://:secret@PROXY/3"),
            ("http://localhost:8080/api/?a=b@c", "localhost:8080", "http://PROXY/api/?a=b@c"),
            ("HTTP://example.org", "example.org:80", "HTTP://PROXY"),
            ("postgres://me:a@b@db:1/x", "db:1", "postgres://me:a@b@PROXY/x"),
            (" cache:6379 ", "cache:6379", "PROXY"),
        ] {
            let upstream = Upstream::read(text).unwrap();
            assert_eq!((upstream.place(), upstream.at("PROXY").as_str()), (place, url));
        }
    }

    #[test]
    fn a_text_that_names_no_upstream_is_refused_and_not_repeated() {
        for (text, why) in [
            ("hunter2", "it names no port"),
            ("", "it names no port"),
            ("hunter2:port", "no number from 1"),
            ("db:0", "no number from 1"),
            (":5432", "it names no host"),
            ("amqp://me:hunter2@mq", "it names no port"),
            ("postgres://me:hunter2@/shop?host=/run/postgresql", "behind the `?`"),
            ("postgres://me:hun/ter2@db:1/x", "write these in a password as %2F"),
            ("one:1,two:2", "several hosts"),
            ("postgres://hunter2 @db:1", ""),
            ("kafka://hunter2!:9", "its host is none"),
        ] {
            let Err(error) = Upstream::read(text) else {
                assert_eq!(why, "", "{text}");
                continue;
            };
            let said = error.to_string();
            assert!(said.contains(why) && said.contains("to fix: fresh_proxy("), "{text}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn what_is_on_this_machine_is_known() {
        for here in ["127.0.0.1:1", "127.8.0.1:1", "localhost:1", "[::1]:1"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["db:1", "10.0.0.1:1", "[fe80::1]:1"] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
