//! A proof that nobody has seen fail proves nothing: each kind of socket is opened, and seen.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::{BTreeSet, Socket, from_each_descriptor, io};

type Way = fn() -> io::Result<BTreeSet<Socket>>;

/// Both, on every machine that has both.
fn ways() -> Vec<Way> {
    let tables = cfg!(target_os = "linux").then_some(super::from_the_tables as Way);
    tables.into_iter().chain([from_each_descriptor as Way]).collect()
}

fn with(local: SocketAddr, peer: Option<SocketAddr>) -> Socket {
    Socket { local, peer }
}

/// The tests of a process share its sockets, so each looks for its own.
#[test]
fn a_listener_is_there_until_it_is_closed() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // Not every machine has IPv6.
        let Ok(listener) = TcpListener::bind(address) else {
            assert_eq!(address, "[::1]:0");
            continue;
        };
        let listening = with(listener.local_addr().unwrap(), None);
        for open in ways() {
            assert!(open().unwrap().contains(&listening), "{listening}");
        }

        drop(listener);

        for open in ways() {
            assert!(!open().unwrap().contains(&listening), "{listening}");
        }
    }
}

#[test]
fn both_ends_of_a_connection_are_there_after_its_listener_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    drop(listener);

    for open in ways() {
        for end in [&one, &other] {
            let end = with(end.local_addr().unwrap(), Some(end.peer_addr().unwrap()));
            assert!(open().unwrap().contains(&end), "{end}");
        }
    }
}

#[test]
fn a_socket_of_udp_is_there() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();

    for open in ways() {
        assert!(open().unwrap().contains(&with(socket.local_addr().unwrap(), None)));
    }
}
