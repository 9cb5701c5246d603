//! Runs child processes in a process group of their own, under a time limit.
//!
//! Invariant: when a call returns, no process of the child's group is alive. If this process itself
//! is killed, the [`Guard`] kills the group.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::{Error, wait};

/// The result of a process that ended.
pub struct Run {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// `None` if the process still ran at its limit and was killed.
    pub status: Option<ExitStatus>,
    /// The command lines of processes in its group that outlived it. They are killed by now.
    pub left_behind: Vec<String>,
}

impl Run {
    /// True for the exit code 0.
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, as part of a sentence.
    pub fn ended(&self) -> String {
        match self.status {
            None => "was stopped at its time limit".into(),
            Some(status) => match (status.code(), status.signal().map(Signal::try_from)) {
                (Some(code), _) => format!("ended with exit code {code}"),
                (None, Some(Ok(signal))) => format!("was ended by {signal}"),
                (None, _) => "was ended by an unknown signal".into(),
            },
        }
    }
}

/// Runs a command until it ends, or until the limit.
///
/// Its output goes through files, so a process that is left behind cannot make us wait for the end
/// of the output.
///
/// # Errors
///
/// If the command cannot be started, or its output cannot be kept in a file.
pub fn run(command: &mut Command, limit: Duration, guard: Option<&Guard>) -> Result<Run, Error> {
    let what = format!("run {}", command.get_program().display());
    let (mut stdout, mut stderr) = (scratch_file()?, scratch_file()?);
    command.stdin(Stdio::null()).stdout(copy(&stdout)?).stderr(copy(&stderr)?).process_group(0);
    let mut child = command.spawn().map_err(|e| Error::new(format!("cannot {what}")).cause(e))?;
    let group = Pid::from_raw(i32::try_from(child.id()).expect("a process id is an i32"));
    if let Some(guard) = guard {
        guard.tell("watch", group);
    }

    let (tell, ended) = mpsc::channel();
    std::thread::spawn(move || tell.send(child.wait()).ok());
    let (status, left_behind) = match ended.recv_timeout(limit) {
        Ok(status) => (
            Some(status.map_err(|e| Error::new(format!("cannot {what}")).cause(e))?),
            outlived(group),
        ),
        Err(_) => (None, Vec::new()),
    };
    killpg(group, Signal::SIGKILL).ok();
    if status.is_none() {
        ended.recv().ok(); // so that its executable can be replaced and its files are closed
    }
    if let Some(guard) = guard {
        guard.tell("forget", group);
    }
    Ok(Run { stdout: text(&mut stdout)?, stderr: text(&mut stderr)?, status, left_behind })
}

/// The live processes of a group whose leader has ended. A process that is about to end gets half a
/// second, more than any orderly end takes.
fn outlived(group: Pid) -> Vec<String> {
    let mut alive = Vec::new();
    wait::until_blocking(Duration::from_millis(500), "the end of the process group", || {
        alive = members(group);
        if alive.is_empty() { Ok(()) } else { Err(alive.join(", ")) }
    })
    .ok();
    alive
}

/// The command lines of a group's live processes. Zombies are dead: they wait for an init process
/// that some containers lack.
fn members(group: Pid) -> Vec<String> {
    if killpg(group, None).is_err() {
        return Vec::new();
    }
    // `ps` is not on every small Linux; elsewhere it is, and `/proc` is not.
    if Path::new("/proc/self/stat").exists() {
        members_by_proc(group)
    } else {
        members_by_ps(group)
    }
}

fn members_by_proc(group: Pid) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let alive = entries.flatten().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // "pid (name) state parent group …": a name may hold spaces and brackets, so read behind the last bracket.
        let (head, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').take(3).collect();
        if fields.get(2)?.parse() != Ok(group.as_raw()) || matches!(fields[0], "Z" | "X") {
            return None;
        }
        let line = std::fs::read_to_string(entry.path().join("cmdline"))
            .unwrap_or_default()
            .replace('\0', " ");
        let name = head.split_once('(').map_or(head, |(_, name)| name);
        Some(if line.trim().is_empty() { name.to_owned() } else { line.trim().to_owned() })
    });
    alive.collect()
}

fn members_by_ps(group: Pid) -> Vec<String> {
    let Ok(listed) = Command::new("ps").args(["-ww", "-A", "-o", "pgid=,stat=,args="]).output()
    else {
        return Vec::new();
    };
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let alive = listed.lines().filter_map(|line| {
        let (pgid, rest) = line.trim().split_once(char::is_whitespace)?;
        let (state, arguments) = rest.trim_start().split_once(char::is_whitespace)?;
        (pgid.parse() == Ok(group.as_raw()) && !state.starts_with('Z'))
            .then(|| arguments.trim().to_owned())
    });
    alive.collect()
}

/// Ends the watched process groups when this process dies in any way. It then also removes the
/// scratch directory.
///
/// Ctrl-C in a terminal does not reach a group of its own, and no destructor runs after a SIGKILL.
/// But the end of a pipe is closed by any death, and this shell waits for that. (A signal handler
/// would need `unsafe` and would not see SIGKILL.)
#[must_use]
pub struct Guard {
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Guard {
    /// Starts the guard of this process.
    ///
    /// # Errors
    ///
    /// If the shell cannot be started, or `scratch` cannot be written.
    pub fn new(scratch: &Path) -> Result<Guard, Error> {
        const SCRIPT: &str = r#"groups=
            while read -r word group; do
                others=
                for it in $groups; do [ "$it" = "$group" ] || others="$others $it"; done
                groups=$others
                [ "$word" = watch ] && groups="$groups $group"
            done
            for it in $groups; do kill -s KILL -- "-$it"; done
            rm -rf -- "$1""#;
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "testenv-guard"])
            .arg(scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|e| Error::new("cannot run sh").cause(e))?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Guard { shell, pipe })
    }

    fn tell(&self, word: &str, group: Pid) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = pipe.as_mut() {
            writeln!(pipe, "{word} {group}").ok(); // a guard that somebody killed guards nothing; the check itself still holds
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        *self.pipe.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        self.shell.wait().ok(); // it only removes an empty directory now; else it would stay as a zombie
    }
}

/// The cargo that runs us, so that a `+toolchain` stays in force. Otherwise the cargo in the PATH.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn scratch_file() -> Result<File, Error> {
    tempfile::tempfile().map_err(no_scratch)
}

/// The error for a temporary directory in which no file can be created.
pub fn no_scratch(cause: std::io::Error) -> Error {
    Error::new(format!("no temporary file can be made in {}", std::env::temp_dir().display()))
        .cause(cause)
        .fix("make room there, or set TMPDIR to a directory that can be written")
}

fn copy(file: &File) -> Result<Stdio, Error> {
    file.try_clone().map(Stdio::from).map_err(no_scratch)
}

fn text(file: &mut File) -> Result<String, Error> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(no_scratch)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Guard, run};
    use nix::unistd::Pid;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::Command;
    use std::time::{Duration, Instant};

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_that_hangs_is_stopped_at_its_limit_with_its_children() {
        let start = Instant::now();

        let run = run(&mut sh("echo begun; sleep 30 & sleep 30"), Duration::from_millis(200), None)
            .unwrap();

        assert!(run.status.is_none());
        assert_eq!(run.stdout, "begun\n");
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_process_left_behind_is_named_and_ended() {
        let run = run(&mut sh("sleep 31.25 & echo $!"), Duration::from_secs(10), None).unwrap();

        assert_eq!(run.left_behind, ["sleep 31.25"]);
        let pid = run.stdout.trim();
        crate::wait::until_blocking(Duration::from_secs(5), "the end of the sleeper", || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") { Ok(()) } else { Err(stat) }
        })
        .unwrap();
    }

    #[test]
    fn the_guard_ends_the_groups_that_it_still_watches() {
        let scratch = tempfile::tempdir().unwrap().keep();
        let guard = Guard::new(&scratch).unwrap();
        let sleepers = [(); 3].map(|()| {
            let mut sleeper = sh("exec sleep 30");
            let child = sleeper.process_group(0).spawn().unwrap();
            guard.tell("watch", Pid::from_raw(child.id().cast_signed()));
            child
        });
        let [one, mut forgotten, two] = sleepers;
        guard.tell("forget", Pid::from_raw(forgotten.id().cast_signed()));

        drop(guard);

        for mut watched in [one, two] {
            assert_eq!(watched.wait().unwrap().signal(), Some(9));
        }
        assert!(forgotten.try_wait().unwrap().is_none(), "nobody watched it any more");
        forgotten.kill().and_then(|()| forgotten.wait()).unwrap();
    }

    #[test]
    fn the_guard_removes_the_scratch_directory() {
        let scratch = tempfile::tempdir().unwrap().keep();

        drop(Guard::new(&scratch).unwrap());

        assert!(!scratch.exists());
    }
}
