//! Servers in a Docker engine. Each is a PostgreSQL with a port, a password and data of its own.
//! All of them run in one container, because one container takes as long as three servers.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Mutex;

use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::exec::StartExecOptions;
use testcontainers_modules::testcontainers::bollard::models::ExecConfig;
use testcontainers_modules::testcontainers::core::client::docker_client_instance;
use testcontainers_modules::testcontainers::core::{ContainerPort, WaitFor};
use testcontainers_modules::testcontainers::{GenericImage, ImageExt};
use testenv::tools::Run;
use testenv::tools::announce;
use testenv::tools::docker;
use testenv::{Error, tools, wait};

use super::engine::{BAKE, KILL, SERVE, START_LIMIT};
use super::locked;

/// Four tests at a time have up to four servers each, twice while the last ones end.
const PORTS: &[ContainerPort] = &ports();

const MEMORY: &str = "/machine";
const SERVICE: &str = "lab";

pub(super) struct Engine {
    run: &'static Run,
    client: Docker,
    container: String,
    /// The ports on this side, in the order of [`PORTS`].
    addresses: Vec<String>,
    /// By a server's name, which port it has; the lock on a file says so to other processes, and to nobody once this one has ended.
    taken: Mutex<HashMap<String, (usize, File)>>,
}

impl Engine {
    pub(super) async fn open(run: &'static Run) -> Result<Engine, Error> {
        let client = docker_client_instance().await.map_err(|cause| unanswered(&cause))?;
        let addresses = run.once(SERVICE, start_container).await?;
        Ok(Engine {
            run,
            client,
            container: format!("testenv-{}-{SERVICE}", run.token()),
            addresses: addresses.split_whitespace().map(str::to_owned).collect(),
            taken: Mutex::default(),
        })
    }

    pub(super) async fn start(&self, name: &str, settings: &[&str]) -> Result<String, Error> {
        let (place, lock) =
            wait::until(START_LIMIT, "a free port", async || self.free_port()).await?;
        let address = self.addresses[place].clone();
        locked(&self.taken, |taken| taken.insert(name.to_owned(), (place, lock)));
        // What a process left there that ended before its servers.
        self.clear(place).await?;
        let (data, port) = (data(place), PORTS[place].as_u16().to_string());
        let mut command = vec!["bash", "-c", SERVE, "/machine/cluster", &data, "-p", &port];
        command.extend(["-c", "listen_addresses=*"]);
        command.extend(settings);
        self.begin(&command).await.map(|_| address)
    }

    /// Runs a script for the server: its data is in `$0`.
    pub(super) async fn run_script(&self, name: &str, script: &str) {
        let place = locked(&self.taken, |taken| taken.get(name).map(|(place, _)| *place));
        if let Some(place) = place {
            // A server that has ended takes no signal.
            let _refused = self.finish(&["bash", "-c", script, &data(place)]).await;
        }
    }

    pub(super) async fn remove(&self, name: &str) {
        let taken = locked(&self.taken, |taken| taken.remove(name));
        if let Some((place, _held_until_it_is_gone)) = taken {
            // What is left is cleared before the next start.
            let _left = self.clear(place).await;
        }
    }

    async fn clear(&self, place: usize) -> Result<(), Error> {
        let script = format!("{KILL}\nrm -rf \"$0\"");
        self.finish(&["bash", "-c", &script, &data(place)]).await
    }

    /// Runs a command in the container and returns when it has ended, however it did.
    async fn finish(&self, command: &[&str]) -> Result<(), Error> {
        let id = self.begin(command).await?;
        wait::until(START_LIMIT, "the end of a command in the container", async || {
            match self.client.inspect_exec(&id).await {
                Ok(command) if command.running == Some(true) => Err("it runs".to_owned()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    async fn begin(&self, command: &[&str]) -> Result<String, Error> {
        let config = ExecConfig {
            cmd: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            user: Some("postgres".to_owned()),
            ..ExecConfig::default()
        };
        let made = self.client.create_exec(&self.container, config).await;
        let id = made.map_err(|cause| unanswered(&cause))?.id;
        let detached = Some(StartExecOptions { detach: true, ..StartExecOptions::default() });
        let begun = self.client.start_exec(&id, detached).await;
        begun.map(|_| id).map_err(|cause| unanswered(&cause))
    }

    fn free_port(&self) -> Result<(usize, File), Error> {
        for place in 0..PORTS.len() {
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
        .with_cmd(["-c", &format!("{BAKE}\nexec sleep infinity"), "/machine/cluster", run.token()]);
    let started = docker::start(run, SERVICE, request, PORTS, &[MEMORY], START_LIMIT).await?;
    let mut addresses = Vec::new();
    for port in PORTS {
        addresses.push(started.address(*port).await?);
    }
    Ok(addresses.join(" "))
}

fn data(place: usize) -> String {
    format!("{MEMORY}/{place}")
}

const fn ports() -> [ContainerPort; 32] {
    let mut ports = [ContainerPort::Tcp(0); 32];
    let mut at: u16 = 0;
    while at < 32 {
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
