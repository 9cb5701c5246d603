//! Where suites make their things: in the Docker engine, or, where there is none, as processes and folders of this machine.
//!
//! Invariant: whatever is made here belongs to the run of the harness too, so that its keeper removes it, whatever a specimen or a learner's code does.
//! And nothing else is ever listed here, so that a sweep that is too wide cannot hurt the machine.

mod docker;
mod native;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use testenv::Error;
use testenv::provider::{PROVIDER_VAR, REACH_LIMIT, announce, ping_docker};
use testenv::run::Run;

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A container; without Docker a process with a folder.
    Server,
    /// A network, which a running server is in.
    Network,
    /// A volume, which a server uses, running or stopped.
    Volume,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Server, Kind::Network, Kind::Volume];

    fn word(self) -> &'static str {
        match self {
            Kind::Server => "server",
            Kind::Network => "network",
            Kind::Volume => "volume",
        }
    }
}

/// Something that is there, as the engine lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// What it is.
    pub kind: Kind,
    /// Its name; it says nothing about the owner.
    pub name: String,
    /// The value of its label `lab.suite`, if it has that label: whose it is.
    pub label: Option<String>,
    /// Of a server: whether it runs. A stopped one is there too. Networks and volumes do not run.
    pub is_running: bool,
    // As the engine wants it named in a request.
    id: String,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.label.as_deref().unwrap_or("(no label)");
        write!(f, "{} {} of {label}", self.kind.word(), self.name)
    }
}

/// Returns everything that is there, running or not, whoever made it: as `docker ps --all`, `docker network ls` and `docker volume ls` would.
///
/// # Panics
///
/// When the engine does not answer.
pub fn things() -> Vec<Thing> {
    match lab() {
        Lab::Docker(engine) => engine.things(),
        Lab::Native(folder) => folder.things(),
    }
    .unwrap_or_else(|error| panic!("{error}"))
}

/// Removes a thing; a running server is killed first.
///
/// # Errors
///
/// When the engine refuses, with its words: the thing is gone already, or a server still uses it.
pub fn remove(thing: &Thing) -> Result<(), String> {
    match lab() {
        Lab::Docker(engine) => engine.remove(thing),
        Lab::Native(folder) => folder.remove(thing),
    }
}

/// Ends a server and leaves it there.
pub(crate) fn stop(thing: &Thing) -> Result<(), String> {
    match lab() {
        Lab::Docker(engine) => engine.stop(thing),
        Lab::Native(folder) => folder.stop(thing),
    }
}

/// Makes a thing with a new name, and returns that name. A server is put into the network and on the volume that `uses` names.
pub(crate) fn make(kind: Kind, label: Option<&str>, uses: &[String]) -> String {
    let name = format!("lab-{}", word());
    match lab() {
        Lab::Docker(engine) => engine.make(kind, &name, label, uses),
        Lab::Native(folder) => folder.make(kind, &name, label, uses),
    }
    .unwrap_or_else(|error| panic!("{error}"));
    name
}

/// 64 bits that nobody else has: the keys of a hash map are the random source that the standard library has.
pub(crate) fn word() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}

enum Lab {
    Docker(docker::Engine),
    Native(native::Folder),
}

fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| open().unwrap_or_else(|error| panic!("{error}")))
}

fn open() -> Result<Lab, Error> {
    let run = Run::join()?;
    let forced = std::env::var(PROVIDER_VAR).unwrap_or_default();
    let docker =
        if forced == "native" { Err("ruled out".into()) } else { ping_docker(REACH_LIMIT) };
    match docker {
        Ok(()) => Ok(Lab::Docker(docker::Engine::open(run)?)),
        Err(why) if forced == "docker" => Err(Error::new("no Docker engine for the lab")
            .tried(format!("{PROVIDER_VAR}=docker"))
            .cause(why)
            .fix(format!("unset {PROVIDER_VAR}"))
            .fix("cargo course setup --install")),
        Err(why) => {
            announce("lab", &format!("processes and folders of this machine (Docker: {why})"));
            Ok(Lab::Native(native::Folder::open(run)?))
        }
    }
}
