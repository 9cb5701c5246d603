//! A run: all the test processes that one command started, and everything they share.
//!
//! A run is named by `TESTENV_RUN_ID`, else by `NEXTEST_RUN_ID`, else by the parent process and its start time: `cargo test`, `cargo nextest run` and an
//! IDE's single test are each one run, with no configuration. It lives in a directory, because statics do not carry across processes:
//!
//! - `members`: every process of the run holds a shared lock on it; the keeper waits for the exclusive one;
//! - `asked`: the settings that decide which servers serve; a run of the same name with other settings is another run, `<name>.2`;
//! - `joins`: a byte for each process that ever joined; `runners`: the runners that started them;
//! - `<server>.json`, `<server>.lock`, `<server>.failed`: a server that was started once, who starts it, why it could not be;
//! - `held/`: locks that it holds until it ends;
//! - `owned/`: what must be removed; `keeper+…`: who removes it.
//!
//! ```no_run
//! # async fn test() -> Result<(), testenv::Error> {
//! use testenv::run::Run;
//!
//! let run: &'static Run = Run::join()?;
//! // Of all processes of the run one starts it; the others are told what it returned.
//! let address = run.once("mailer", async |run| {
//!     let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
//!     run.start_native("mailer", "/usr/bin/mailer".as_ref(), &["--port", &port.to_string()])?;
//!     Ok(format!("127.0.0.1:{port}"))
//! });
//! let address = address.await?;
//! println!("its log: {}/mailer.log; its run: {}", run.dir().display(), run.token());
//! # Ok(()) }
//! ```
//!
//! Several commands can be one run, and a run can live elsewhere, or longer:
//!
//! ```no_run
//! # fn main() -> Result<(), testenv::Error> {
//! use testenv::run::{Attendance, DIR_VAR, GRACE_VAR, ID_VAR, attend};
//!
//! let attendance: Attendance = attend("nightly")?;
//! for tests in [["test", "-p", "one"], ["test", "-p", "other"]] {
//!     let mut cargo = std::process::Command::new("cargo");
//!     cargo.args(tests).env(ID_VAR, "nightly").env(DIR_VAR, "/var/tmp/runs").env(GRACE_VAR, "5000");
//!     assert!(cargo.status().unwrap().success());
//! }
//! drop(attendance); // the servers end
//! # Ok(()) }
//! ```
//!
//! Invariant: a live run is never reaped, and a run that ended, however it ended, is.

mod base;
pub(crate) mod held;
mod known;
mod join;
mod keeper;
mod machine;
mod native;
mod open_files;
mod orphans;
pub(crate) mod owned;
mod process;
mod sweep;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

pub use base::DIR_VAR;
pub use join::{Attendance, ID_VAR, attend};
pub use keeper::GRACE_VAR;
#[cfg(all(
    feature = "integration",
    any(feature = "kafka", feature = "postgres", feature = "redis")
))]
pub(crate) use keeper::grace;

use crate::{Error, wait};

const MEMBERS: &str = "members";
const JOINS: &str = "joins";
const RUNNERS: &str = "runners";
const TOKEN: &str = "token";
/// What decided which servers serve; see `join`.
const ASKED: &str = "asked";
/// The extension of the files that say why something could not be started.
const FAILED: &str = "failed";

/// The first use of an image may pull a gigabyte; every other process of the run waits for that one.
const SERVER_LIMIT: Duration = Duration::from_secs(300);

/// The run that this process belongs to; it belongs until it ends.
pub struct Run {
    dir: PathBuf,
    token: String,
    _member: File,
}

impl Run {
    /// Joins the run of this process: makes it where this is the first process, with a keeper that ends it after the last.
    ///
    /// # Errors
    ///
    /// When the run's directory cannot be made or written (see [`DIR_VAR`]), or no process can be started.
    pub fn join() -> Result<&'static Run, Error> {
        static RUN: OnceLock<Result<Run, Error>> = OnceLock::new();
        RUN.get_or_init(join::join).as_ref().map_err(Clone::clone)
    }

    /// The directory of the run; gone, with what is in it, when the run is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A word that no other run has, ever: 16 hexadecimal digits. What a run makes outside carries it in its name or label.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns what `start` returned in whichever process of the run called it first; `start` runs once a run.
    ///
    /// A start that failed is not tried again: every later caller gets the same error at once, not after another wait.
    ///
    /// # Errors
    ///
    /// What `start` said, or that another process of the run was starting it for five minutes.
    pub async fn once(
        &'static self,
        server: &str,
        start: impl AsyncFnOnce(&'static Run) -> Result<String, Error>,
    ) -> Result<String, Error> {
        let (ready, failed) =
            (self.dir.join(format!("{server}.json")), self.dir.join(format!("{server}.{FAILED}")));
        let known = || match (std::fs::read_to_string(&ready), std::fs::read_to_string(&failed)) {
            (Ok(text), _) => Some(Ok(text)),
            (_, Ok(why)) => Some(Err(Error::new(why))),
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

/// Does `work` on a thread of its own; what it awaits need not be [`Send`], and may outlive the runtime of the test that asked first.
#[cfg(all(
    feature = "integration",
    any(feature = "kafka", feature = "postgres", feature = "redis")
))]
pub(crate) async fn apart<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>>,
{
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let done = match runtime {
            Ok(runtime) => runtime.block_on(work()),
            Err(cause) => Err(Error::new("no runtime for a thread of its own").cause(cause)),
        };
        // Whoever asked may have run out of patience.
        drop(tell.send(done));
    });
    told.await.unwrap_or_else(|_| Err(Error::new("the harness panicked; its message is above")))
}

/// Takes the settings as they are, called before `main` and before anything changes them.
pub(crate) fn note_settings() {
    join::asked();
}

/// The keeper's entry, called before `main`.
pub(crate) fn keep_if_asked() {
    keeper::keep_if_asked();
}

/// Writes a file that nobody sees half-written, and nobody else reads: an address of a server holds its password.
fn publish(path: &Path, text: &str) -> io::Result<()> {
    let scratch = path.with_extension("new");
    crate::secret::write(&scratch, text)?;
    std::fs::rename(scratch, path)
}

pub(crate) fn token(run: &Path) -> String {
    std::fs::read_to_string(run.join(TOKEN)).unwrap_or_default()
}

pub(crate) fn unwritable(path: &Path, cause: &io::Error) -> Error {
    Error::new(format!("cannot write {}", path.display())).cause(cause).fix(format!(
        "export {DIR_VAR}=<a directory of yours that can be written, with space left>"
    ))
}

/// Where the runs of this user are.
#[cfg(all(feature = "integration", feature = "postgres"))]
pub(crate) use base::path as base_dir;
#[cfg(all(feature = "integration", feature = "postgres"))]
pub(crate) use orphans::make_data_dir;
#[cfg(feature = "integration")]
pub(crate) use orphans::{Owner, Runs};
#[cfg(any(feature = "integration", feature = "tools"))]
pub(crate) use sweep::Fate;
#[cfg(feature = "tools")]
pub(crate) use sweep::sweep_by_hand;
