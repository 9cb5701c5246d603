//! What a proxy can do to a direction of its connections.

use std::time::Duration;

use crate::{Error, Heading};

/// A longer wait is a mistake in a test. A silence for ever is `timeout` with zero.
const LONGEST: Duration = Duration::from_hours(24);

/// Faster than any machine. Toxiproxy multiplies the rate.
const FASTEST: u64 = 100_000_000;

/// A direction of a connection, in Toxiproxy's words.
///
/// ```no_run
/// # async fn test() -> Result<(), testenv::Error> {
/// use std::time::Duration;
/// use testenv::Direction::{Downstream, Upstream};
///
/// let proxy = testenv::fresh_proxy("127.0.0.1:8080").await;
/// proxy.latency(Upstream, Duration::from_millis(100)).await?; // requests
/// proxy.latency(Downstream, Duration::from_millis(400)).await?; // answers
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Upstream,
    /// From the server to the client.
    Downstream,
}

/// One kind of trouble. Times are in milliseconds, as Toxiproxy has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Toxic {
    Delay {
        latency: u64,
        jitter: u64,
    },
    /// In KB/s.
    Rate(u64),
    Timeout(u64),
    Reset(u64),
}

/// A length of time in whole milliseconds, rounded up: a test that asks for some waits for some.
pub(super) fn millis(what: &str, length: Duration) -> Result<u64, Error> {
    if length > LONGEST {
        return Err(Error::under(
            Heading::Proxy,
            format!("a {what} of {length:?} is longer than a day"),
        )
        .fix("name a time that the test can wait for; timeout(…, Duration::ZERO) is for ever"));
    }
    Ok(u64::try_from(length.as_nanos().div_ceil(1_000_000)).expect("a day has fewer"))
}

pub(super) fn rate(kilobytes: u64) -> Result<Toxic, Error> {
    match kilobytes {
        0 => Err(Error::under(Heading::Proxy, "a bandwidth of 0 KB/s lets nothing through")
            .fix("name at least 1 KB/s; timeout(…, Duration::ZERO) stops all data")),
        rate if rate > FASTEST => Err(Error::under(
            Heading::Proxy,
            format!("a bandwidth of {rate} KB/s is no limit for any machine"),
        )
        .fix("name it in KB/s, or set no bandwidth at all")),
        rate => Ok(Toxic::Rate(rate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_and_a_value_without_sense_is_refused_with_the_cure() {
        assert_eq!(millis("latency", Duration::from_micros(1)).unwrap(), 1);
        assert_eq!(millis("latency", Duration::from_millis(500)).unwrap(), 500);
        assert_eq!(rate(64).unwrap(), Toxic::Rate(64));

        let long = millis("latency", Duration::MAX).unwrap_err().to_string();
        assert!(long.contains("longer than a day") && long.contains("to fix: "), "{long}");
        for wrong in [0, u64::MAX] {
            let refused = rate(wrong).unwrap_err().to_string();
            assert!(refused.contains("KB/s") && refused.contains("to fix: "), "{refused}");
        }
    }
}
