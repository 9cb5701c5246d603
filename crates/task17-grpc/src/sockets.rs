//! The proof that nothing opened a port: the sockets of this process, as the kernel counts them.
//!
//! On Linux, [`open`] reads the kernel's tables of sockets, `/proc/net/tcp`, `tcp6`, `udp` and
//! `udp6`, and keeps the sockets that `/proc/self/fd` lists. A table holds the sockets of the whole
//! machine, or of the whole container.
//!
//! On macOS there are no such tables. There [`open`] asks the kernel for the address of every
//! descriptor in `/dev/fd`. A file has no address, and a socket of Unix has no port.
//!
//! Invariant: a socket of the internet that has a port is in the set, whether it listens or is
//! connected. Pipes, files and sockets of Unix are not.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::sys::socket::{SockaddrLike, SockaddrStorage, getpeername, getsockname};

/// A socket of this process that has a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Socket {
    /// Its own address.
    pub local: SocketAddr,
    /// The other end. `None` when it listens, or takes packets from anybody.
    pub peer: Option<SocketAddr>,
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(peer) => write!(f, "{} -> {peer}", self.local),
            None => write!(f, "{} is open", self.local),
        }
    }
}

/// Returns every socket of this process that has a port at this moment: TCP and UDP, IPv4 and IPv6.
///
/// The process is shared: other tests that run in it may open ports too.
///
/// # Errors
///
/// If the descriptors or a table cannot be read. Then nothing is proved.
pub fn open() -> io::Result<BTreeSet<Socket>> {
    if cfg!(target_os = "linux") { from_the_tables() } else { from_each_descriptor() }
}

fn from_the_tables() -> io::Result<BTreeSet<Socket>> {
    let owned = inodes()?;
    let mut open = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let lines = match fs::read_to_string(format!("/proc/net/{table}")) {
            Ok(lines) => lines,
            // A kernel without IPv6 has no such table, and no such socket.
            Err(error) if error.kind() == io::ErrorKind::NotFound && table.ends_with('6') => {
                continue;
            }
            Err(error) => return Err(error),
        };
        for line in lines.lines().skip(1) {
            let (inode, socket) = row(line).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("/proc/net/{table}: {line}"))
            })?;
            if owned.contains(inode) {
                open.insert(socket);
            }
        }
    }
    Ok(open)
}

/// The inodes of this process's sockets: `/proc/self/fd/7` is a link to `socket:[12345]`.
fn inodes() -> io::Result<BTreeSet<String>> {
    let mut inodes = BTreeSet::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        // Another thread may have closed it by now.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        let target = target.to_string_lossy();
        inodes.extend(
            target
                .strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']'))
                .map(str::to_owned),
        );
    }
    Ok(inodes)
}

/// `0: 0100007F:1F90 00000000:0000 0A …`: the addresses are in columns 2 and 3, the inode in 10.
fn row(line: &str) -> Option<(&str, Socket)> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (local, peer) = (address(columns.get(1)?)?, address(columns.get(2)?)?);
    Some((columns.get(9)?, Socket { local, peer: Some(peer).filter(|peer| peer.port() != 0) }))
}

/// `0100007F:1F90`: words of 32 bits, each printed as a number of this machine, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok();
    let ip = if address.len() == 8 {
        IpAddr::from(Ipv4Addr::from(word(0)?.to_ne_bytes()))
    } else {
        let words = [word(0)?, word(1)?, word(2)?, word(3)?].map(u32::to_ne_bytes);
        Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into()
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

fn from_each_descriptor() -> io::Result<BTreeSet<Socket>> {
    let mut open = BTreeSet::new();
    for entry in fs::read_dir("/dev/fd")? {
        let Ok(descriptor) = entry?.file_name().to_string_lossy().parse() else { continue };
        let local = getsockname(descriptor).ok().and_then(|address| internet(&address));
        let peer = getpeername(descriptor).ok().and_then(|address| internet(&address));
        open.extend(local.map(|local| Socket { local, peer }));
    }
    Ok(open)
}

/// The address, if it is one of the internet and has a port.
fn internet(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| (IpAddr::V4(v4.ip()), v4.port()));
    let v6 = || address.as_sockaddr_in6().map(|v6| (IpAddr::V6(v6.ip()), v6.port()));
    address.family()?;
    v4.or_else(v6).filter(|(_, port)| *port != 0).map(SocketAddr::from)
}

#[cfg(test)]
#[path = "sockets_tests.rs"]
mod tests;
