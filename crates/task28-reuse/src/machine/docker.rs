//! Servers in a Docker engine. Each is a PostgreSQL with a port, a password and data of its own.
//! All of them run in one container, because one container takes as long as three servers.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Mutex;

use testcontainers_modules::testcontainers::core::{ContainerPort, WaitFor};
use testcontainers_modules::testcontainers::{GenericImage, ImageExt};
use testenv::tools::Run;
use testenv::tools::announce;
use testenv::tools::docker;
use testenv::{Error, tools, wait};
use tokio::time::timeout;

use super::engine::{BAKE, KILL, SERVE, START_LIMIT};
use super::{locked, server};
use crate::execute;

/// The first port is the control server's. Four tests at a time have up to four servers each, and
/// twice as many while the last ones end.
const PORTS: &[ContainerPort] = &ports();

const MEMORY: &str = "/machine";
const SERVICE: &str = "lab";

/// Becomes the control server's shell, which collects the processes of the others.
const CONTROL: &str = r#"cp -R "$0" /machine/control
postgres -D /machine/control -p 6000 -c listen_addresses=* -c unix_socket_directories= &
wait"#;

pub(super) struct Engine {
    run: &'static Run,
    /// The ports on this side, in the order of [`PORTS`].
    addresses: Vec<String>,
    /// The URL of the control server, a PostgreSQL that runs programs in the container. The engine's
    /// own `exec` takes ten times the processor time.
    control: String,
    /// By a server's name, which port it has; the lock on a file says so to other processes, and to nobody once this one has ended.
    taken: Mutex<HashMap<String, (usize, File)>>,
}

impl Engine {
    pub(super) async fn open(run: &'static Run) -> Result<Engine, Error> {
        let addresses = run.once(SERVICE, start_container).await?;
        let addresses: Vec<_> = addresses.split_whitespace().map(str::to_owned).collect();
        let control = server::url(&addresses[0], run.token());
        Ok(Engine { run, addresses, control, taken: Mutex::default() })
    }

    pub(super) async fn start(&self, name: &str, settings: &[&str]) -> Result<String, Error> {
        let (place, lock) =
            wait::until(START_LIMIT, "a free port", async || self.free_port()).await?;
        let address = self.addresses[place].clone();
        locked(&self.taken, |taken| taken.insert(name.to_owned(), (place, lock)));
        let (data, port) = (data(place), PORTS[place].as_u16().to_string());
        let mut server = vec!["/machine/cluster", &data, "-p", &port, "-c", "listen_addresses=*"];
        server.extend(settings);
        let begin = format!("setsid {} </dev/null >/dev/null 2>&1 &", shell(SERVE, &server));
        // What a process left there that ended before its servers.
        self.execute(&format!("{}; {begin}", clear(place))).await.map(|()| address)
    }

    /// Runs a script for the server: its data is in `$0`.
    pub(super) async fn run_script(&self, name: &str, script: &str) {
        let place = locked(&self.taken, |taken| taken.get(name).map(|(place, _)| *place));
        if let Some(place) = place {
            // A server that has ended takes no signal.
            let _refused = self.execute(&shell(script, &[&data(place)])).await;
        }
    }

    pub(super) async fn remove(&self, name: &str) {
        let taken = locked(&self.taken, |taken| taken.remove(name));
        if let Some((place, _held_until_it_is_gone)) = taken {
            // What is left is cleared before the next start.
            let _left = self.execute(&clear(place)).await;
        }
    }

    /// Runs a command in the container and returns when it has ended.
    async fn execute(&self, command: &str) -> Result<(), Error> {
        let program = format!("COPY (SELECT WHERE false) TO PROGRAM $lab${command}$lab$");
        match timeout(START_LIMIT, execute(&self.control, &program)).await {
            Ok(ended) => ended.map_err(|cause| unanswered(&cause)),
            Err(_) => Err(unanswered(&"the control server is silent")),
        }
    }

    fn free_port(&self) -> Result<(usize, File), Error> {
        for place in 1..PORTS.len() {
            let path = self.run.dir().join(format!("lab-port-{place}"));
            let lock = File::create(&path).map_err(|cause| unanswered(&cause))?;
            if lock.try_lock().is_ok() {
                return Ok((place, lock));
            }
        }
        Err(unanswered(&"all ports are taken"))
    }
}

/// Starts the container in which all servers of the run live; returns the addresses of its ports.
async fn start_container(run: &'static Run) -> Result<String, Error> {
    let image = docker::resolve(tools::POSTGRES.image).await?;
    announce(SERVICE, &format!("servers in a container of {image} ({})", image.why));
    let image = GenericImage::new(&image.name, &image.tag);
    let request = PORTS
        .iter()
        .fold(image, |image, port| image.with_exposed_port(*port))
        .with_entrypoint("bash")
        .with_wait_for(WaitFor::message_on_stdout("baked"))
        .with_user("postgres")
        .with_cmd(["-c", &format!("{BAKE}\n{CONTROL}"), "/machine/cluster", run.token()]);
    let started = docker::start(run, SERVICE, request, PORTS, &[MEMORY], START_LIMIT).await?;
    let mut addresses = Vec::new();
    for port in PORTS {
        addresses.push(started.address(*port).await?);
    }
    let control = server::url(&addresses[0], run.token());
    wait::until(START_LIMIT, "the control server", async || execute(&control, "SELECT 1").await)
        .await?;
    Ok(addresses.join(" "))
}

fn data(place: usize) -> String {
    format!("{MEMORY}/{place}")
}

fn clear(place: usize) -> String {
    shell(&format!("{KILL}\nrm -rf \"$0\""), &[&data(place)])
}

/// A shell command: the script with its arguments, from `$0` on.
fn shell(script: &str, arguments: &[&str]) -> String {
    let quoted = |word: &&str| format!("'{}'", word.replace('\'', r"'\''"));
    let words: Vec<_> = [script].iter().chain(arguments).map(quoted).collect();
    format!("sh -c {}", words.join(" "))
}

const fn ports() -> [ContainerPort; 33] {
    let mut ports = [ContainerPort::Tcp(0); 33];
    let mut at: u16 = 0;
    while at < 33 {
        ports[at as usize] = ContainerPort::Tcp(6000 + at);
        at += 1;
    }
    ports
}

fn unanswered(cause: &impl std::fmt::Display) -> Error {
    Error::new("the Docker engine did not do what the machine asked for")
        .cause(cause)
        .fix("cargo course doctor")
}
