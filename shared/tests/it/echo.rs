//! A server for proxies: it sends back what it hears. A container reaches it, too.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

/// The server. Its threads end with the process.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
}

impl Echo {
    pub(crate) fn start() -> Echo {
        let listener = TcpListener::bind((own_address(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer(stream));
            }
        });
        Echo { address }
    }
}

fn answer(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// Loopback. A container cannot reach it, so with real servers it is this machine's end of the
/// engine's bridge, which only this machine and its containers reach.
fn own_address() -> IpAddr {
    let bridge = cfg!(feature = "integration").then(bridge).flatten();
    bridge.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Without an engine there is none. One that has just made its bridge names only the subnet.
fn bridge() -> Option<IpAddr> {
    let format = "{{with index .IPAM.Config 0}}{{or .Gateway .Subnet}}{{end}}";
    let mut docker = Command::new("docker");
    docker.args(["network", "inspect", "bridge", "--format", format]).stderr(Stdio::null());
    let named = String::from_utf8(docker.output().ok()?.stdout).ok()?;
    match named.trim().split_once('/') {
        None => named.trim().parse().ok(),
        Some((subnet, _)) => {
            let first = subnet.parse::<Ipv4Addr>().ok()?.to_bits() + 1;
            Some(Ipv4Addr::from_bits(first).into())
        }
    }
}
