//! The processes of a run, as parts that the tests start: `testenv-actor <part> [<argument>]`.
//!
//! A part prints on a line of standard output what it has. Then it ends in the way that it was
//! told.

use std::any::Any;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use testenv::tools::Run;

#[cfg(feature = "integration")]
#[path = "actor"]
mod parts {
    pub(crate) mod docker;
    pub(crate) mod given;
    pub(crate) mod kafka;
    pub(crate) mod postgres;
    pub(crate) mod proxy;
    pub(crate) mod redis;
    pub(crate) mod s3;
    pub(crate) mod templates;
}
#[cfg(feature = "integration")]
use parts::{docker, given, kafka, postgres, proxy, redis, s3, templates};

#[cfg(feature = "integration")]
mod echo;

fn main() {
    hear_signals();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["listen", dir] => listen(Path::new(dir)),
        ["member", millis] => member(Duration::from_millis(millis.parse().unwrap())),
        #[cfg(feature = "integration")]
        ["crowd", count] => redis::crowd(count.parse().unwrap()),
        #[cfg(feature = "integration")]
        ["crowd of proxies", count] => proxy::crowd(count.parse().unwrap()),
        #[cfg(feature = "integration")]
        ["schema", file] => templates::run_file(Path::new(file)),
        [resource, end] => {
            let _held_until_the_end = make(resource);
            say(resource);
            finish(end);
        }
        _ => panic!("no such part: {args:?}"),
    }
}

/// A suite that was started by `nohup`, or in the background of a script, inherits that some signals are ignored: an end by signal would be none.
fn hear_signals() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        #[expect(unsafe_code, reason = "the default handler runs no code of ours")]
        unsafe { signal(ignored, SigHandler::SigDfl) }.expect("a signal that can be handled");
    }
}

/// A server with a port, a socket and a file of its own.
fn listen(dir: &Path) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    // The kernel takes 107 bytes of a socket's path, and a temporary directory can have more.
    std::env::set_current_dir(dir).unwrap();
    let _socket = UnixListener::bind("server.sock").unwrap();
    std::fs::write(dir.join("server.addr"), port.local_addr().unwrap().to_string()).unwrap();
    for stream in port.incoming() {
        drop(stream);
    }
}

/// Joins, uses the run's server for a while, and says which process served from the beginning to the end.
fn member(length: Duration) {
    let run = Run::join().unwrap();
    let server = runtime().block_on(run.once("server", async |run| Ok(start_server(run)))).unwrap();
    std::thread::park_timeout(length);
    std::net::TcpStream::connect(&server).expect("the run's server lives as long as its members");
    say(&server);
}

/// What a part has until the process ends.
type Held = Option<Box<dyn Any>>;

/// For a part that has nothing.
#[cfg(feature = "integration")]
fn nothing() -> Option<Held> {
    Some(None)
}

#[cfg(feature = "integration")]
fn held(what: impl Any) -> Option<Held> {
    Some(Some(Box::new(what)))
}

/// The parts of each service: what a part has, and nothing for one of another service.
const PLAYS: &[fn(&str) -> Option<Held>] = &[
    #[cfg(feature = "integration")]
    docker::play,
    #[cfg(feature = "integration")]
    kafka::play,
    #[cfg(feature = "integration")]
    postgres::play,
    #[cfg(feature = "integration")]
    proxy::play,
    #[cfg(feature = "integration")]
    redis::play,
    #[cfg(feature = "integration")]
    s3::play,
    #[cfg(feature = "integration")]
    templates::play,
];

fn make(part: &str) -> Held {
    if let Some(held) = PLAYS.iter().find_map(|play| play(part)) {
        return held;
    }
    let run = Run::join().unwrap();
    match part {
        "nothing" => {}
        "native" => {
            runtime().block_on(run.once("server", async |run| Ok(start_server(run)))).unwrap();
        }
        _ => panic!("no such part: {part}"),
    }
    None
}

fn start_server(run: &Run) -> String {
    let dir = run.dir().to_str().unwrap();
    drop(run.start_native("server", &std::env::current_exe().unwrap(), &["listen", dir]).unwrap());
    let address = run.dir().join("server.addr");
    testenv::wait::until_blocking(Duration::from_secs(10), "the server's address", || {
        match std::fs::read_to_string(&address) {
            Ok(text) if text.is_empty() => Err("it is empty".to_owned()),
            Ok(text) => Ok(text),
            Err(error) => Err(error.to_string()),
        }
    })
    .unwrap()
}

fn finish(end: &str) {
    match end {
        "pass" => {}
        "panic" => panic!("as told"),
        #[expect(clippy::exit, reason = "one of the ends that the harness promises to survive")]
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        // Until a signal comes, or whoever asked is gone.
        "wait" => drop(std::io::stdin().read(&mut [0])),
        _ => panic!("no such end: {end}"),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody listens");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
