//! Whether the engine is on this machine.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};

use crate::provider::reach::{REACH_LIMIT, within};

/// Whether the engine at `host`, of which `at` is the network address, can be this machine's.
///
/// An address of this machine is one in whatever spelling. A name that cannot be resolved counts as this machine's: it is the answer that exposes nothing.
pub(super) fn is_local(host: &str, at: Option<String>) -> bool {
    /// Asked for each container, and a name server may be slow.
    static KNOWN: Mutex<Option<(String, bool)>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    match &*known {
        Some((of, is_local)) if of == host => *is_local,
        _ => {
            let is_local = can_be_local(at);
            *known = Some((host.to_owned(), is_local));
            is_local
        }
    }
}

fn can_be_local(at: Option<String>) -> bool {
    let Some(at) = at else { return true };
    let (tell, told) = std::sync::mpsc::channel();
    let asked = within(REACH_LIMIT, move || {
        let found = at.to_socket_addrs().map_err(|error| error.to_string())?;
        let ips: Vec<IpAddr> = found.map(|address| address.ip().to_canonical()).collect();
        tell.send(ips).map_err(|error| error.to_string())
    });
    match asked.and_then(|()| told.recv().map_err(|error| error.to_string())) {
        Ok(ips) => ips.iter().any(is_of_this_machine),
        Err(_unknown) => true,
    }
}

fn is_of_this_machine(ip: &IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || interfaces().contains(ip)
}

/// The addresses of this machine's interfaces.
fn interfaces() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let ip = |address: nix::sys::socket::SockaddrStorage| {
        let four = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        four.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    interfaces.filter_map(|interface| interface.address.and_then(ip)).collect()
}

#[cfg(test)]
mod tests {
    use super::{can_be_local, interfaces};
    use crate::provider::engine::{network_address, plain};

    #[test]
    fn an_engine_of_this_machine_is_known_by_every_spelling() {
        let name = nix::unistd::gethostname().unwrap().into_string().unwrap();
        let mut spellings = vec![
            "unix:///var/run/docker.sock".to_owned(),
            "tcp://localhost".into(),
            "TCP://LOCALHOST:2375".into(),
            "tcp://127.0.0.1:2375/".into(),
            "http://127.1:2375".into(),
            "tcp://127.8.9.10:2375".into(),
            "tcp://[::1]:2375".into(),
            "tcp://[::ffff:127.0.0.1]:2375".into(),
            "tcp://0.0.0.0:2375".into(),
            "tcp://[::]:2375".into(),
            "tcp://user@localhost:2375".into(),
            "tcp://no-such-name.invalid:2375".into(),
            format!("tcp://{name}:2375"),
        ];
        spellings.extend(
            interfaces().into_iter().filter(|ip| ip.is_ipv4()).map(|ip| format!("tcp://{ip}:1")),
        );

        for spelling in spellings {
            assert!(can_be_local(network_address(&plain(&spelling, false))), "{spelling}");
        }
    }

    #[test]
    fn an_engine_elsewhere_is_not_this_machines() {
        for spelling in ["tcp://192.0.2.1:2375", "http://198.51.100.7", "tcp://[2001:db8::1]:2375"]
        {
            assert!(!can_be_local(network_address(&plain(spelling, false))), "{spelling}");
        }
    }
}
