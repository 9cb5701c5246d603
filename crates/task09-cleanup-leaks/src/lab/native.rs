//! The lab without Docker. Each resource is a folder in the run's directory. A server is also a
//! process.

use std::path::PathBuf;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use testenv::Error;
use testenv::tools::Run;

use super::{Kind, Thing};

/// `<run>/lab/<kind>.<name>/` holds `label`, and of a server `uses` and, while it runs, `pid`.
pub(super) struct Folder {
    run: &'static Run,
    path: PathBuf,
}

impl Folder {
    pub(super) fn open(run: &'static Run) -> Result<Folder, Error> {
        let path = run.dir().join("lab");
        std::fs::create_dir_all(&path).map_err(|cause| unwritable().cause(cause))?;
        Ok(Folder { run, path })
    }

    pub(super) fn things(&self) -> Result<Vec<Thing>, Error> {
        let entries = std::fs::read_dir(&self.path).map_err(|cause| unwritable().cause(cause))?;
        let ids = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        Ok(ids.filter_map(|id| self.thing(id)).collect())
    }

    pub(super) fn make(
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

    pub(super) fn stop(&self, thing: &Thing) -> Result<(), String> {
        let file = self.path.join(&thing.id).join("pid");
        let pid = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let group = pid.parse().map(Pid::from_raw).map_err(|_| format!("`{pid}` is no process"))?;
        std::fs::remove_file(file).map_err(|error| error.to_string())?;
        killpg(group, Signal::SIGKILL).map_err(|error| error.to_string())
    }

    pub(super) fn remove(&self, thing: &Thing) -> Result<(), String> {
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
        "export {}=<a directory of yours that can be written, with space left>",
        testenv::tools::DIR_VAR
    ))
}
