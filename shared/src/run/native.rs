//! Servers that run as ordinary processes of this machine.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Gid, Pid, Uid};

use super::layout::{note, unwritable};
use super::member::Run;
use super::process::{Process, STATUS_SH};
use crate::{Error, Heading, wait};

/// A server without clients ends some milliseconds after SIGTERM.
const PATIENCE: Duration = Duration::from_millis(300);

/// A server that has not ended by then after SIGTERM and SIGINT gets SIGKILL. The promise is 15 s
/// for everything.
const STOP_LIMIT: Duration = Duration::from_secs(3);

impl Run {
    /// Starts `program` with `args` as a server of this run. The reaper ends it.
    ///
    /// The server leads a process group of its own, so that Ctrl-C in a terminal reaches the tests
    /// and not their server. Its output goes to `<run>/<name>.log`. The process notes itself before
    /// it becomes the server, so it is never running without a note.
    ///
    /// # Errors
    ///
    /// When the run's directory cannot be written or the program cannot be started.
    pub fn start_native(&self, name: &str, program: &Path, args: &[&str]) -> Result<Child, Error> {
        self.start_native_as(name, program, args, None)
    }

    /// Whether a process of this machine was started as the server `name` of this run.
    pub(crate) fn is_native(&self, name: &str) -> bool {
        note(self.dir(), "native", name).exists()
    }

    /// Like [`Run::start_native`], but as another user. Only root can do that.
    pub(crate) fn start_native_as(
        &self,
        name: &str,
        program: &Path,
        args: &[&str],
        user: Option<(Uid, Gid)>,
    ) -> Result<Child, Error> {
        let log_path = self.dir().join(format!("{name}.log"));
        let log = File::create(&log_path).map_err(|cause| unwritable(&log_path, &cause))?;
        let note_path = note(self.dir(), "native", name);
        let note = File::create(&note_path).map_err(|cause| unwritable(&note_path, &cause))?;

        // The shell notes itself on its standard output, which is the note: another user could not open the file.
        let script = format!(r#"{STATUS_SH}; printf '%s %s\n' "$$" "$status" && exec "$@" >&2"#);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, name]).arg(program).args(args);
        if let Some((uid, gid)) = user {
            command.uid(uid.as_raw()).gid(gid.as_raw()).current_dir("/");
        }
        crate::programs::without_clients_variables(&mut command);
        command.process_group(0).stdin(Stdio::null()).stdout(note).stderr(log);
        command.spawn().map_err(|cause| {
            Error::under(Heading::Start, format!("cannot start {}", program.display())).cause(cause)
        })
    }
}

/// Ends the server that noted itself in this text, with its whole process group.
pub(super) fn stop(text: &str) -> Result<(), String> {
    // An empty note: the shell died between opening the file and writing to it, so it never became the server.
    Process::parse(text).map_or(Ok(()), |process| end(&process))
}

/// Ends a server, with the whole process group that it leads.
pub(super) fn end(process: &Process) -> Result<(), String> {
    if !process.is_alive() {
        return Ok(());
    }
    let group = Pid::from_raw(process.pid);
    let gone = || if process.is_alive() { Err("alive") } else { Ok(()) };
    killpg(group, Signal::SIGTERM).ok(); // it may be gone already
    if wait::until_blocking(PATIENCE, "its end after SIGTERM", gone).is_err() {
        // To PostgreSQL, SIGTERM means to wait for its clients; killed, it would leave shared memory behind.
        killpg(group, Signal::SIGINT).ok(); // it may be gone already
    }
    if wait::until_blocking(STOP_LIMIT, "its end after SIGINT", gone).is_err() {
        killpg(group, Signal::SIGKILL).ok(); // it may be gone already
        wait::until_blocking(STOP_LIMIT, "its end after SIGKILL", gone)
            .map_err(|error| error.to_string())?;
    }
    // Children that outlived their leader; the group keeps its number as long as one is in it.
    killpg(group, Signal::SIGKILL).ok(); // usually nobody is left
    Ok(())
}
