//! Servers that outlive their run, on a developer's machine only. `TESTENV_REUSE=1` turns this on,
//! or the line `reuse = 1` in `<config>/testenv.conf`.
//!
//! A kept server is found again by a hash of its image, its settings, this crate's version, the
//! engine and its owner (the user, the machine and the cache). If any of them changes, another
//! server is used. The run treats a kept server like an external one: it records and removes only
//! what it created.
//!
//! A kept server is replaced only if it is provably dead: its container is gone, or does not run. A
//! server that runs and refuses a run may serve other runs. The refused run starts a server of its
//! own.
//!
//! Invariant: no server is kept if `CI` is set. No kept server is removed while a live process uses
//! it.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::{ContainerRequest, Image};

use super::address;
use super::client::{docker_client_instance, is_missing, query};
use super::image::Chosen;
use super::start::{self, Scope, Started};
use crate::provider::{announce, docker_host};
use crate::reuse::{LOCK, NAME, NOTE, REUSE_LABEL, REUSE_VAR, dir, open, owner, publish, users};
use crate::run::{Run, held};
use crate::{Error, Heading, wait};

/// Another process starts the server, which may include a pull.
const LOCK_LIMIT: Duration = Duration::from_secs(300);

/// A server that is kept, or is about to be. On one machine, one process at a time decides about
/// it.
pub(crate) struct Kept {
    /// `<service>-<hash>`
    name: String,
    hash: String,
    owner: String,
    _lock: File,
    note: PathBuf,
}

/// The state in which a kept server was found.
pub(crate) enum Found {
    /// The server runs, at this address, with this password.
    Running(String, String),
    /// There is no server, or one that ended and that nobody used was removed. A new one can be
    /// started.
    Nothing,
    /// The server must be left as it is, for this reason.
    Unusable(String),
}

/// Whether the user wants servers to be kept. Prints a line if `CI` is set and the wish is
/// therefore refused.
pub(crate) fn wanted() -> bool {
    let by_file = || {
        let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| Some(std::env::home_dir()?.join(".config")));
        let text = config
            .and_then(|dir| std::fs::read_to_string(dir.join("testenv.conf")).ok())
            .unwrap_or_default();
        text.lines().any(|line| {
            line.split_once('=')
                .is_some_and(|(key, value)| key.trim() == "reuse" && value.trim() == "1")
        })
    };
    let wanted = std::env::var(REUSE_VAR).map_or_else(|_| by_file(), |value| value == "1");
    let refused =
        wanted && std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false");
    if refused {
        announce(
            "reuse",
            "refused, because CI is set: what one build leaves on a server must not decide the next",
        );
    }
    wanted && !refused
}

impl Kept {
    /// Locks the kept server with this image and these settings.
    ///
    /// # Errors
    ///
    /// When the cache directory cannot be written, or another process takes more than five minutes
    /// to start the server.
    pub(crate) async fn lock(
        service: &str,
        image: &Chosen,
        settings: &impl Hash,
    ) -> Result<Kept, Error> {
        let mut hasher = DefaultHasher::new();
        let owner = owner()?;
        (service, image.to_string(), docker_host(), env!("CARGO_PKG_VERSION"), &owner)
            .hash(&mut hasher);
        settings.hash(&mut hasher);
        let hash = format!("{:016x}", hasher.finish());
        let name = format!("{service}-{hash}");
        let file = open(&dir()?.join(format!("{name}.{LOCK}")))?;
        wait::until(
            LOCK_LIMIT,
            &format!("the kept {service} server, which another process is starting"),
            async || file.try_lock(),
        )
        .await?;
        Ok(Kept { note: dir()?.join(format!("{name}.{NOTE}")), name, hash, owner, _lock: file })
    }

    /// The name of the server's container.
    pub(crate) fn container(&self) -> String {
        format!("{NAME}{}", self.name)
    }

    /// Looks for the server. Removes a server that ended, unless somebody still uses it.
    ///
    /// # Errors
    ///
    /// When the engine does not answer. Then nothing is known, and nothing was done.
    pub(crate) async fn find(&self, port: ContainerPort) -> Result<Found, Error> {
        let container = self.container();
        let failed = |cause: String| {
            Error::under(Heading::Kept, format!("the kept server {container} cannot be looked at"))
                .cause(cause)
                .fix(crate::cure::command("doctor"))
        };
        let engine = docker_client_instance().await.map_err(|error| failed(error.to_string()))?;
        let look = engine.inspect_container(&container, None::<query::InspectContainerOptions>);
        let inspected = match look.await {
            Ok(inspected) => inspected,
            Err(error) if is_missing(&error) => return Ok(Found::Nothing),
            Err(error) => return Err(failed(error.to_string())),
        };
        let state = inspected.state.unwrap_or_default();
        // Paused and restarting ones run too: they are somebody's.
        if state.running != Some(false) {
            let Ok(password) = std::fs::read_to_string(&self.note) else {
                return Ok(Found::Unusable("its note is gone".into()));
            };
            return Ok(match address::of(&container, port).await {
                Ok(address) => Found::Running(address, password),
                Err(error) => Found::Unusable(error.to_string()),
            });
        }
        let using = open(&users(&self.name)?)?;
        if using.try_lock().is_err() {
            return Ok(Found::Unusable("it ended, and a live run still uses it".into()));
        }
        let id = inspected.id.ok_or_else(|| failed("the engine gave no id".into()))?;
        let options = query::RemoveContainerOptionsBuilder::new().v(true).build();
        // Without force: one that somebody started meanwhile stays.
        match engine.remove_container(&id, Some(options)).await {
            Err(error) if !is_missing(&error) => Err(failed(error.to_string())),
            _ => Ok(Found::Nothing),
        }
    }

    /// Starts the server anew. The password is noted before the server exists, so a start that is
    /// killed leaves a server that can be used.
    ///
    /// # Errors
    ///
    /// As [`super::start()`].
    pub(crate) async fn start<I: Image>(
        &self,
        service: &'static str,
        password: &str,
        request: impl Fn() -> ContainerRequest<I>,
        ports: &'static [ContainerPort],
        tmpfs: super::memory::Mounts,
        limit: Duration,
    ) -> Result<Started<I>, Error> {
        publish(&self.note, password)?;
        let scope = Scope {
            name: self.container(),
            labels: vec![
                (REUSE_LABEL, self.hash.clone()),
                (crate::reuse::OWNER_LABEL, self.owner.clone()),
                (start::OWNER_LABEL, crate::run::Owner::of(&crate::run::base_dir()).to_string()),
            ],
        };
        start::launch(scope, service, request, ports, tmpfs, limit).await
    }

    /// Makes the run use the server until the run ends.
    ///
    /// # Errors
    ///
    /// When the cache or the run's directory cannot be written.
    pub(crate) async fn used(&self, run: &Run) -> Result<(), Error> {
        held::hold(run, &users(&self.name)?).await
    }
}
