//! The ports of a Toxiproxy in a container, which are published when it starts.
//!
//! A port is leased by the lock of its file in the run's directory. The kernel drops the lock on
//! any death, so the port of a killed test is free again. The file has the name of the proxy that
//! has the port, from before the proxy is created until after it is removed.
//!
//! Invariant: whoever holds the lock of a port removes the proxy that had the port before.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::api::{Api, Call, Refused};
use super::server::Toxiproxy;
use crate::run::DIR_VAR;
use crate::server::Origin;
use crate::service::TOXIPROXY;
use crate::{Error, Heading, secret, verdict, wait};

/// How long a test waits if all ports are in use. Longer than a slow test holds a proxy, and
/// shorter than a runner's limit.
const LEASE_LIMIT: Duration = Duration::from_secs(60);

/// How often a test asks that waits for another test to end.
const POLL: Duration = Duration::from_millis(20);

/// A port of the container, until dropped.
#[derive(Debug)]
pub(super) struct Lease {
    file: File,
}

impl Lease {
    /// The port, if nobody has it, and the name of the proxy that had it and may still be there.
    fn take(path: &Path) -> std::io::Result<Option<(Lease, String)>> {
        let mut file =
            OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
        let mut before = String::new();
        file.read_to_string(&mut before)?;
        Ok(Some((Lease { file }, before)))
    }

    fn note(&mut self, name: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(name.as_bytes())
    }

    /// Notes that no proxy has the port any more.
    pub(super) fn give_back(self) {
        self.file.set_len(0).ok(); // then the next one looks for a proxy that is gone
    }
}

/// Creates a proxy on a port that no other test has. Returns the port and its address.
pub(super) async fn create(
    toxiproxy: &'static Toxiproxy,
    few: &'static [(u16, String)],
    name: &str,
    target: &str,
) -> Result<(Lease, String), Error> {
    let what = format!("a free one of the {} ports that Toxiproxy's container has", few.len());
    let leased = wait::until_every(POLL, LEASE_LIMIT, &what, || async move {
        match try_create(toxiproxy, few, name, target).await {
            Ok(Some(made)) => Ok(Ok(made)),
            Ok(None) => {
                verdict::make_room(TOXIPROXY.name);
                Err("each is a live proxy's")
            }
            Err(error) => Ok(Err(error)),
        }
    });
    leased.await.map_err(|error| {
        error
            .fix("cargo test -- --test-threads=8, so that fewer tests have a proxy at once")
            .fix("export TESTENV_PROVIDER=native, where Toxiproxy has all ports")
    })?
}

/// Like [`create`], once. Ports that nobody has noted come first: the proxy of a failed test stays
/// as long as there is another port.
async fn try_create(
    toxiproxy: &'static Toxiproxy,
    few: &'static [(u16, String)],
    name: &str,
    target: &str,
) -> Result<Option<(Lease, String)>, Error> {
    let api = &toxiproxy.api;
    let dir = toxiproxy.run.dir().join("toxiproxy-ports");
    let unwritable = |cause: std::io::Error| {
        Error::under(Heading::State, format!("cannot write to {}", dir.display()))
            .cause(cause)
            .fix(format!("export {DIR_VAR}=<a directory of yours with space left>"))
    };
    std::fs::create_dir_all(&dir).map_err(unwritable)?;
    // Other runs use a kept server, too. The proxies that they have cut do not listen.
    let others = match toxiproxy.server.origin {
        Origin::Kept => api.listening().await.map_err(|refused| refused.words(api))?,
        Origin::Owned | Origin::External => Vec::new(),
    };
    let first = usize::try_from(secret::bits() % few.len() as u64).expect("it is small");
    let ports = || few.iter().cycle().skip(first).take(few.len());
    let file = |port: u16| -> PathBuf { dir.join(port.to_string()) };
    for wants_clean in [true, false] {
        for (port, address) in ports() {
            let Some((mut lease, before)) = Lease::take(&file(*port)).map_err(unwritable)? else {
                continue;
            };
            if wants_clean && !before.is_empty() || before.is_empty() && others.contains(port) {
                continue;
            }
            if !before.is_empty() {
                remove(api, &before).await?;
            }
            lease.note(name).map_err(unwritable)?;
            match api.create(name, &format!("0.0.0.0:{port}"), target).await {
                Ok(_) => return Ok(Some((lease, address.clone()))),
                Err(refused) if refused.is_port_taken() => lease.give_back(),
                Err(refused) => return Err(refused.words(api)),
            }
        }
    }
    Ok(None)
}

async fn remove(api: &Api, name: &str) -> Result<(), Error> {
    api.call(name, Call::Remove).await.map_err(|refused: Refused| refused.words(api))
}
