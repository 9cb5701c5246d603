//! The place where suites create resources: a Docker engine or, without an engine, processes and
//! folders of this machine.
//!
//! Invariant: every resource of the lab also belongs to the harness's run, so the run's reaper
//! removes it, whatever a specimen or a learner's code does. The lab lists no other resources, so a
//! sweep that is too wide cannot hurt the machine.

mod docker;
mod native;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use testenv::Error;
use testenv::tools::Run;
use testenv::tools::{PROVIDER_VAR, REACH_LIMIT, announce, ping_docker};

/// The kind of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A container; without Docker, a process with a folder.
    Server,
    /// A network. The engine keeps it while a running server is in it.
    Network,
    /// A volume. The engine keeps it while a server uses it, running or stopped.
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

/// A resource, as the engine lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// The kind of resource.
    pub kind: Kind,
    /// The name. It says nothing about the owner.
    pub name: String,
    /// The value of the label `lab.suite`, if the resource has it: the owner.
    pub label: Option<String>,
    /// Whether a server runs. Stopped servers are listed too. Networks and volumes do not run.
    pub is_running: bool,
    // The engine's id, for requests.
    id: String,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.label.as_deref().unwrap_or("(no label)");
        write!(f, "{} {} of {label}", self.kind.word(), self.name)
    }
}

/// Returns all resources of all owners, running or not.
///
/// The list is that of `docker ps --all`, `docker network ls` and `docker volume ls`.
///
/// # Panics
///
/// If the engine does not answer.
pub fn things() -> Vec<Thing> {
    match lab() {
        Lab::Docker(engine) => engine.things(),
        Lab::Native(folder) => folder.things(),
    }
    .unwrap_or_else(|error| panic!("{error}"))
}

/// Removes a resource. A running server is killed first.
///
/// # Errors
///
/// The engine's message if it refuses: the resource is gone already, or a server still uses it.
pub fn remove(thing: &Thing) -> Result<(), String> {
    match lab() {
        Lab::Docker(engine) => engine.remove(thing),
        Lab::Native(folder) => folder.remove(thing),
    }
}

/// Stops a server without removing it.
pub(crate) fn stop(thing: &Thing) -> Result<(), String> {
    match lab() {
        Lab::Docker(engine) => engine.stop(thing),
        Lab::Native(folder) => folder.stop(thing),
    }
}

/// Creates a resource and returns its new name. `uses` names a server's network and volume.
pub(crate) fn make(kind: Kind, label: Option<&str>, uses: &[String]) -> String {
    let name = format!("lab-{}", word());
    match lab() {
        Lab::Docker(engine) => engine.make(kind, &name, label, uses),
        Lab::Native(folder) => folder.make(kind, &name, label, uses),
    }
    .unwrap_or_else(|error| panic!("{error}"));
    name
}

/// Returns 64 random bits. The standard library's only source of randomness is a hash map's keys.
#[expect(clippy::disallowed_methods, reason = "a name that no other run has is not repeatable")]
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
