//! The place where suites create resources: processes and folders, with the rules of a container
//! engine.
//!
//! Invariant: every resource of the lab also belongs to the harness's run, so the run's reaper
//! removes it, whatever a specimen or a learner's code does. The lab lists no other resources, so a
//! sweep that is too wide cannot hurt the machine.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use testenv::Error;
use testenv::tools::{DIR_VAR, Run};

/// The kind of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process with a folder. In Docker, a container.
    Server,
    /// A folder. The lab keeps it while a running server is in it, as an engine does.
    Network,
    /// A folder. The lab keeps it while a server uses it, running or stopped, as an engine does.
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

/// A resource, as the lab lists it.
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
    // The name of its folder.
    id: String,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.label.as_deref().unwrap_or("(no label)");
        write!(f, "{} {} of {label}", self.kind.word(), self.name)
    }
}

/// Returns all resources of all owners, running or not, as `docker ps --all`, `docker network ls` and
/// `docker volume ls` together.
///
/// # Panics
///
/// If the lab's folder cannot be read.
pub fn things() -> Vec<Thing> {
    or_panic(Lab::open().and_then(|lab| lab.things()))
}

/// Removes a resource. A running server is killed first.
///
/// # Errors
///
/// The lab's message if it refuses: the resource is gone already, or a server still uses it.
pub fn remove(thing: &Thing) -> Result<(), String> {
    Lab::open().map_err(|error| error.to_string())?.remove(thing)
}

/// Stops a server without removing it.
pub(crate) fn stop(thing: &Thing) -> Result<(), String> {
    Lab::open().map_err(|error| error.to_string())?.stop(thing)
}

/// Creates a resource and returns its new name. `uses` names a server's network and volume.
pub(crate) fn make(kind: Kind, label: Option<&str>, uses: &[String]) -> String {
    let name = format!("lab-{}", word());
    or_panic(Lab::open().and_then(|lab| lab.make(kind, &name, label, uses)));
    name
}

fn or_panic<T>(done: Result<T, Error>) -> T {
    done.unwrap_or_else(|error| panic!("{error}"))
}

/// Returns 64 random bits. The standard library's only source of randomness is a hash map's keys.
#[expect(clippy::disallowed_methods, reason = "a name that no other run has is not repeatable")]
pub(crate) fn word() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}

/// `<run>/lab/<kind>.<name>/` holds `label`, and of a server `uses` and, while it runs, `pid`.
struct Lab {
    run: &'static Run,
    path: PathBuf,
}

impl Lab {
    fn open() -> Result<Lab, Error> {
        let run = Run::join()?;
        let path = run.dir().join("lab");
        std::fs::create_dir_all(&path).map_err(|cause| unwritable().cause(cause))?;
        Ok(Lab { run, path })
    }

    fn things(&self) -> Result<Vec<Thing>, Error> {
        let entries = std::fs::read_dir(&self.path).map_err(|cause| unwritable().cause(cause))?;
        let ids = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(ids.filter_map(|id| self.thing(id)).collect())
    }

    fn make(
        &self,
        kind: Kind,
        name: &str,
        label: Option<&str>,
        uses: &[String],
    ) -> Result<(), Error> {
        let id = format!("{}.{name}", kind.word());
        let (scratch, dir) = (self.path.join(name), self.path.join(&id));
        // Renamed when it is complete: nobody lists a thing that has no label yet.
        let made = std::fs::create_dir(&scratch)
            .and_then(|()| std::fs::write(scratch.join("uses"), uses.join("\n")))
            .and_then(|()| std::fs::write(scratch.join("log"), ""))
            .and_then(|()| {
                label.map_or(Ok(()), |label| std::fs::write(scratch.join("label"), label))
            })
            .and_then(|()| std::fs::rename(&scratch, &dir));
        made.map_err(|cause| unwritable().cause(cause))?;
        if kind == Kind::Server {
            // A process that does nothing and never ends; whose it is can be read in its command line.
            let log = dir.join("log").display().to_string();
            let child = self.run.start_native(name, "tail".as_ref(), &["-f", &log])?;
            std::fs::write(dir.join("pid"), child.id().to_string())
                .map_err(|cause| unwritable().cause(cause))?;
        }
        Ok(())
    }

    fn stop(&self, thing: &Thing) -> Result<(), String> {
        let dir = self.path.join(&thing.id);
        let pid = std::fs::read_to_string(dir.join("pid")).map_err(|error| error.to_string())?;
        let group = pid.parse().map(Pid::from_raw).map_err(|_| format!("`{pid}` is no process"))?;
        std::fs::remove_file(dir.join("pid")).map_err(|error| error.to_string())?;
        // If somebody else has killed it, another process may have its number by now.
        let process = Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid]).output();
        let command = process.map_err(|error| error.to_string())?.stdout;
        if String::from_utf8_lossy(&command).contains(&dir.display().to_string()) {
            killpg(group, Signal::SIGKILL).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn remove(&self, thing: &Thing) -> Result<(), String> {
        let mut servers = self
            .things()
            .map_err(|error| error.to_string())?
            .into_iter()
            .filter(|other| other.kind == Kind::Server && self.uses(other, &thing.name));
        let user = match thing.kind {
            Kind::Server => None,
            Kind::Network => servers.find(|server| server.is_running),
            Kind::Volume => servers.next(),
        };
        if let Some(user) = user {
            return Err(format!("{thing} is in use by {user}"));
        }
        if thing.is_running {
            self.stop(thing)?;
        }
        std::fs::remove_dir_all(self.path.join(&thing.id)).map_err(|error| error.to_string())
    }

    fn thing(&self, id: String) -> Option<Thing> {
        let (word, name) = id.split_once('.')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
        let dir = self.path.join(&id);
        Some(Thing {
            kind,
            name: name.to_owned(),
            label: std::fs::read_to_string(dir.join("label")).ok(),
            is_running: dir.join("pid").exists(),
            id,
        })
    }

    fn uses(&self, server: &Thing, name: &str) -> bool {
        let uses = std::fs::read_to_string(self.path.join(&server.id).join("uses"));
        uses.is_ok_and(|uses| uses.lines().any(|used| used == name))
    }
}

fn unwritable() -> Error {
    Error::new("the lab's folder in the run's directory cannot be used").fix(format!(
        "export {DIR_VAR}=<a directory of yours that can be written, with space left>"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    #[test]
    fn a_process_that_has_the_number_of_a_dead_server_is_not_killed() {
        let name = make(Kind::Server, Some("a-test-of-the-lab"), &[]);
        let server = things().into_iter().find(|thing| thing.name == name).unwrap();
        let file = Lab::open().unwrap().path.join(&server.id).join("pid");
        let own = std::fs::read_to_string(&file).unwrap();
        let mut other = Command::new("sleep").arg("1").process_group(0).spawn().unwrap();
        std::fs::write(&file, other.id().to_string()).unwrap();

        stop(&server).unwrap();

        assert!(other.wait().unwrap().success(), "somebody else's process was killed");
        std::fs::write(&file, own).unwrap();
        remove(&Thing { is_running: true, ..server }).unwrap();
    }
}
