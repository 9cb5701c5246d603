//! The part of a process in a run.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::layout::{FAILED, publish, unwritable};
use crate::{Error, wait};

/// The first use of an image may pull a gigabyte. Every other process of the run waits for that.
const SERVER_LIMIT: Duration = Duration::from_secs(300);

/// The run that this process belongs to, until the process ends.
pub struct Run {
    pub(super) dir: PathBuf,
    pub(super) token: String,
    pub(super) _member: File,
}

impl Run {
    /// The directory of the run. It is removed with its contents when the run ends.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A word that no other run ever has: 16 hexadecimal digits. Everything that a run makes
    /// outside its directory has it in its name or label.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns what `start` returned in the process of the run that called it first. `start` runs
    /// once per run.
    ///
    /// A start that failed is not tried again. Every later caller gets the same error at once, not
    /// after another wait.
    ///
    /// # Errors
    ///
    /// The error of `start`, or that another process of the run was still starting it after five
    /// minutes.
    pub async fn once(
        &'static self,
        server: &str,
        start: impl AsyncFnOnce(&'static Run) -> Result<String, Error>,
    ) -> Result<String, Error> {
        let (ready, failed) =
            (self.dir.join(format!("{server}.json")), self.dir.join(format!("{server}.{FAILED}")));
        let known = || match (std::fs::read_to_string(&ready), std::fs::read_to_string(&failed)) {
            (Ok(text), _) => Some(Ok(text)),
            (_, Ok(why)) => Some(Err(Error::told(why))),
            _ => None,
        };
        if let Some(outcome) = known() {
            return outcome;
        }
        let path = self.dir.join(format!("{server}.lock"));
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|cause| unwritable(&path, &cause))?;
        wait::until(
            SERVER_LIMIT,
            &format!("{server}, which another process of this run is starting"),
            async || lock.try_lock(),
        )
        .await?;
        if let Some(outcome) = known() {
            return outcome;
        }
        let outcome = start(self).await;
        let (path, text) = match &outcome {
            Ok(text) => (&ready, text.clone()),
            Err(error) => (&failed, error.to_string()),
        };
        publish(path, &text).map_err(|cause| unwritable(path, &cause))?;
        outcome
    }
}
