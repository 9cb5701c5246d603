//! The processes of a run, as parts to play: `testenv-actor <part> [<argument>]`.
//!
//! A part says on standard output what it has, on a line, before it ends as it was told.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use testenv::run::Run;

fn main() {
    hear_signals();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["listen", dir] => listen(Path::new(dir)),
        ["member", millis] => member(Duration::from_millis(millis.parse().unwrap())),
        [resource, end] => {
            make(resource);
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
    let _socket = UnixListener::bind(dir.join("server.sock")).unwrap();
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

fn make(resource: &str) {
    let run = Run::join().unwrap();
    match resource {
        "nothing" => {}
        "native" => {
            runtime().block_on(run.once("server", async |run| Ok(start_server(run)))).unwrap();
        }
        #[cfg(feature = "integration")]
        "docker" => {
            runtime().block_on(run.once("sleeper", docker::start)).unwrap();
        }
        #[cfg(all(feature = "integration", feature = "kafka"))]
        "topic" => runtime().block_on(async { say(testenv::fresh_topic().await.name()) }),
        _ => panic!("no such resource: {resource}"),
    }
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

#[cfg(feature = "integration")]
mod docker {
    use std::time::Duration;

    use testcontainers_modules::testcontainers::{GenericImage, ImageExt};
    use testenv::run::Run;
    use testenv::{docker, images};

    /// A container that only has to be there: what it runs does not matter to who removes it.
    pub(super) async fn start(run: &'static Run) -> Result<String, testenv::Error> {
        let image = docker::resolve(&images::KAFKA).await?;
        let request =
            GenericImage::new(image.name, image.tag).with_entrypoint("sleep").with_cmd(["600"]);
        docker::start(run, "sleeper", request, &[], &[], Duration::from_secs(30)).await?;
        Ok(String::new())
    }
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
