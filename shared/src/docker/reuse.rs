//! Servers that outlive their run, on a developer's machine only: asked for with `TESTENV_REUSE=1`, or by the line `reuse = 1` in
//! `<config>/testenv.conf`.
//!
//! A kept server is found again by the hash of its image, its settings, this crate's version and the user's cache, so an edit of any of them means another
//! server. It is a guest room: what a run makes on it is noted and removed like on somebody else's.
//!
//! Invariant: nothing is kept where `CI` is set.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::{ContainerRequest, Image};

use super::{Chosen, Scope, Started};
use crate::programs::cache;
use crate::provider::{REUSE_LABEL, REUSE_VAR, say};
use crate::{Error, wait};

/// Another process starts the server; a pull may be part of that.
const LOCK_LIMIT: Duration = Duration::from_secs(300);

/// A server that is kept, or is about to be: one process of this machine at a time decides.
pub(crate) struct Kept {
    hash: String,
    _lock: File,
    note: PathBuf,
}

/// Whether the user wants servers to be kept. Says so when it is refused.
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
        say(
            "reuse",
            "refused, because CI is set: what one build leaves on a server must not decide the next",
        );
    }
    wanted && !refused
}

impl Kept {
    /// Locks the server that is made of this image and these settings.
    ///
    /// # Errors
    ///
    /// When the cache directory cannot be written, or another process starts the server for five minutes.
    pub(crate) async fn lock(
        service: &str,
        image: &Chosen,
        settings: &impl Hash,
    ) -> Result<Kept, Error> {
        let mut hasher = DefaultHasher::new();
        (service, image.to_string(), super::docker_host(), env!("CARGO_PKG_VERSION"))
            .hash(&mut hasher);
        settings.hash(&mut hasher);
        // Who cannot read the note cannot use the server: another user of the engine keeps another.
        let dir = cache().join("reuse");
        dir.hash(&mut hasher);
        let hash = format!("{:016x}", hasher.finish());
        let lock = dir.join(format!("{service}-{hash}.lock"));
        let file = std::fs::create_dir_all(&dir).and_then(|()| File::create(&lock));
        let file = file.map_err(|cause| crate::run::unwritable(&lock, &cause))?;
        wait::until(
            LOCK_LIMIT,
            &format!("the kept {service} server, which another process is starting"),
            async || file.try_lock(),
        )
        .await?;
        Ok(Kept { note: dir.join(format!("{service}-{hash}.url")), hash, _lock: file })
    }

    /// What was noted of the server when it was started: its URL.
    pub(crate) fn known(&self) -> Option<String> {
        std::fs::read_to_string(&self.note).ok()
    }

    /// Starts the server anew; one of the same hash that does not answer any more is removed first.
    ///
    /// # Errors
    ///
    /// As [`super::start`].
    pub(crate) async fn start<I: Image>(
        &self,
        service: &'static str,
        request: ContainerRequest<I>,
        ports: &'static [ContainerPort],
        tmpfs: &'static [&'static str],
        limit: Duration,
    ) -> Result<Started<I>, Error> {
        super::reap::remove_kept(&self.hash).await?;
        let scope = Scope {
            name: format!("testenv-reuse-{service}-{}", self.hash),
            label: (REUSE_LABEL, self.hash.clone()),
            owner: crate::run::Owner::of(&crate::run::base_dir()).to_string(),
        };
        super::launch(scope, service, request, ports, tmpfs, limit).await
    }

    /// Notes the URL for the next run; the file is for its owner only, for it holds the password.
    ///
    /// # Errors
    ///
    /// When the cache directory cannot be written.
    pub(crate) fn note(&self, url: &str) -> Result<(), Error> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.note);
        file.and_then(|mut file| file.write_all(url.as_bytes()))
            .map_err(|cause| crate::run::unwritable(&self.note, &cause))
    }
}
