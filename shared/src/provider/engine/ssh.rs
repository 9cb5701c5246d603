//! An engine behind `ssh://`, reached as `docker` reaches it: the other end of
//! `ssh <host> docker system dial-stdio` is a connection to the engine there.
//!
//! The engine's client knows sockets. A socket of this process leads to the engine, one `ssh` for each
//! connection. It has no name in any directory, so nothing is left of it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use url::Url;

/// With what the address of such an engine begins.
pub(super) const SCHEME: &str = "ssh://";

/// As long as `docker` waits.
const CONNECT_SECONDS: &str = "ConnectTimeout=30";

/// The socket of this process: until it is served, and where the client finds it.
struct Socket {
    listener: UnixListener,
    engine: String,
    _place: OwnedFd,
}

static SOCKET: Mutex<Option<Socket>> = Mutex::new(None);

/// Opens the socket for an engine. Returns its address for a client of this process. It is served from
/// [`serve`] on.
pub(super) fn opened(engine: &str) -> io::Result<String> {
    let dir = nix::unistd::mkdtemp(&crate::temporary::dir().join("testenv-ssh-XXXXXX"))?;
    let path = dir.join("engine.sock");
    let listener = UnixListener::bind(&path);
    // It leads to the socket, also when that has no name any more.
    let place = open(&path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    std::fs::remove_file(&path).and_then(|()| std::fs::remove_dir(&dir))?;
    let (listener, place) = (listener?, place?);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&place);
    let address = format!("unix:///proc/{}/fd/{fd}", std::process::id());
    *SOCKET.lock().unwrap_or_else(PoisonError::into_inner) =
        Some(Socket { listener, engine: engine.to_owned(), _place: place });
    Ok(address)
}

/// Serves the socket of this process, if it has one.
pub(crate) fn serve() {
    let mut socket = SOCKET.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(Socket { listener, engine, _place }) = socket.take() else { return };
    std::thread::spawn(move || {
        let _as_long_as_the_process = _place;
        for client in listener.incoming().flatten() {
            // A client whose way cannot be opened finds it closed.
            if let Ok(way) = dial(&engine).and_then(|mut dial| dial.spawn()) {
                drop(join(client, way));
            }
        }
    });
}

/// Passes bytes on in both directions, until both ends have said that there are no more.
fn join(client: UnixStream, mut way: Child) -> io::Result<()> {
    let (from, to) = (client.try_clone()?, client);
    let (Some(there), Some(back)) = (way.stdin.take(), way.stdout.take()) else {
        return Ok(());
    };
    std::thread::spawn(move || pass_on(from, there));
    std::thread::spawn(move || {
        pass_on(back, &to);
        to.shutdown(Shutdown::Both).ok();
        way.wait()
    });
    Ok(())
}

/// Passes on what comes, at once. `io::copy` has the system do it between a pipe and a socket, which
/// kept an answer back for as long as no more came.
fn pass_on(mut from: impl Read, mut to: impl Write) {
    let mut piece = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
}

/// The command that is a connection to the engine.
pub(super) fn dial(engine: &str) -> io::Result<Command> {
    let mut ssh = Command::new("ssh");
    ssh.args(["-T", "-o", "BatchMode=yes", "-o", CONNECT_SECONDS]);
    to_host(&mut ssh, engine).ok_or_else(|| io::Error::other("its address names no host"))?;
    ssh.args(["docker", "system", "dial-stdio"]);
    ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(ssh)
}

fn to_host(ssh: &mut Command, engine: &str) -> Option<()> {
    let url = Url::parse(engine).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?;
    if !url.username().is_empty() {
        ssh.args(["-l", url.username()]);
    }
    ssh.args(url.port().map(|port| format!("-p{port}")));
    // What follows is a host, whatever it looks like.
    ssh.args(["--", host.trim_matches(['[', ']'])]);
    Some(())
}

/// `host:port` of the machine, by its name or number in the network: what stands in the address may be a
/// name that only `~/.ssh/config` knows.
pub(super) fn place(engine: &str) -> Option<String> {
    type Known = Option<(String, Option<String>)>;
    static KNOWN: Mutex<Known> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    match &*known {
        Some((of, place)) if of == engine => place.clone(),
        _ => {
            let place = asked(engine);
            *known = Some((engine.to_owned(), place.clone()));
            place
        }
    }
}

fn asked(engine: &str) -> Option<String> {
    let mut ssh = Command::new("ssh");
    ssh.arg("-G");
    to_host(&mut ssh, engine)?;
    let output = ssh.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let settings = String::from_utf8(output.stdout).ok()?;
    let named =
        |name: &str| settings.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let host = named("hostname")?;
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Some(format!("{host}:{}", named("port").unwrap_or("22")))
}
