//! Runs child processes in a process group of their own, under a time limit.
//!
//! Invariant: when a call returns, no process of the child's group is alive. If this process itself
//! is killed, the [`Guard`] kills the group.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::{Error, Heading, wait};

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
    /// How long it ran.
    pub took: Duration,
    /// True if it was ended because its output was enough. It has no status then.
    pub was_enough: bool,
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
/// # Errors
///
/// As [`run_until`].
pub fn run(command: &mut Command, limit: Duration, guard: Option<&Guard>) -> Result<Run, Error> {
    run_until(command, limit, guard, None)
}

/// How often the output is looked at while the command runs.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a command until it ends, until the limit, or until its standard output so far is enough.
///
/// Its output goes through files, so a process that is left behind cannot make us wait for the end
/// of the output.
///
/// # Errors
///
/// If the command cannot be started, or its output cannot be kept in a file. With a guard, a shell
/// starts it: for a program that does not exist, the shell ends with the exit code 127.
pub fn run_until(
    command: &mut Command,
    limit: Duration,
    guard: Option<&Guard>,
    is_enough: Option<&dyn Fn(&str) -> bool>,
) -> Result<Run, Error> {
    let what = format!("run {}", command.get_program().display());
    let (mut stdout, mut stderr) = (scratch_file()?, scratch_file()?);
    let mut waits;
    let command = match guard {
        Some(_) => {
            waits = waiting(command);
            waits.stdin(Stdio::piped())
        }
        None => command.stdin(Stdio::null()),
    };
    command.stdout(copy(&stdout)?).stderr(copy(&stderr)?).process_group(0);
    let mut child = command
        .spawn()
        .map_err(|e| Error::under(Heading::Machine, format!("cannot {what}")).cause(e))?;
    let group = Pid::from_raw(i32::try_from(child.id()).expect("a process id is an i32"));
    if let Some(guard) = guard {
        guard.tell("watch", group);
        // It begins now; one that was killed meanwhile does not read it.
        child.stdin.take().map(|mut stdin| stdin.write_all(b"go\n"));
    }

    let (tell, ended) = mpsc::channel();
    let began = Instant::now();
    std::thread::spawn(move || tell.send(child.wait()).ok());
    let mut was_enough = false;
    let ended_by_itself = loop {
        let left = limit.saturating_sub(began.elapsed());
        match ended.recv_timeout(if is_enough.is_some() { left.min(LOOK) } else { left }) {
            Ok(status) => break Some(status),
            Err(_) if left.is_zero() => break None,
            Err(_) => {}
        }
        was_enough = is_enough.is_some_and(|is_enough| is_enough(&so_far(&stdout)));
        if was_enough {
            break None;
        }
    };
    let (status, left_behind) = match ended_by_itself {
        Some(status) => {
            let failed = |e| Error::under(Heading::Machine, format!("cannot {what}")).cause(e);
            (Some(status.map_err(failed)?), outlived(group))
        }
        None => (None, Vec::new()),
    };
    let took = began.elapsed();
    killpg(group, Signal::SIGKILL).ok();
    if status.is_none() {
        ended.recv().ok(); // so that its executable can be replaced and its files are closed
    }
    if let Some(guard) = guard {
        guard.tell("forget", group);
    }
    Ok(Run {
        stdout: text(&mut stdout)?,
        stderr: text(&mut stderr)?,
        status,
        left_behind,
        took,
        was_enough,
    })
}

/// The same command, which begins when it reads a line, and never if the pipe is closed before. So
/// nothing runs that a guard does not watch, however soon this process is killed.
fn waiting(command: &Command) -> Command {
    const WAITS: &str = r#"read -r go && exec "$@" < /dev/null"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", WAITS, "testenv-waits"]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        shell.current_dir(dir);
    }
    shell
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
/// scratch directory, and creates the file of [`Guard::tells`]. Runs whose directories are in the
/// scratch directory have half a minute to end before that.
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
            created=
            while read -r word group; do
                if [ "$word" = create ]; then created=$group; continue; fi
                others=
                for it in $groups; do [ "$it" = "$group" ] || others="$others $it"; done
                groups=$others
                [ "$word" = watch ] && groups="$groups $group"
            done
            for it in $groups; do kill -s KILL -- "-$it"; done
            [ -z "$created" ] || : > "$created"
            n=0
            while [ $n -lt 300 ] && ls -d "$1"/testenv-runs-*/?* > /dev/null 2>&1; do
                sleep 0.1; n=$((n + 1))
            done
            rm -rf -- "$1""#;
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "testenv-guard"])
            .arg(scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|cause| cannot_start("sh", cause))?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Guard { shell, pipe })
    }

    /// Creates this file when this process dies. Its directory exists.
    pub fn tells(&self, file: &Path) {
        self.write(format_args!("create {}", file.display()));
    }

    fn tell(&self, word: &str, group: Pid) {
        self.write(format_args!("{word} {group}"));
    }

    fn write(&self, line: std::fmt::Arguments<'_>) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = pipe.as_mut() {
            writeln!(pipe, "{line}").ok(); // a guard that somebody killed guards nothing; the check itself still holds
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.write(format_args!("create ")); // this is no death
        *self.pipe.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        self.shell.wait().ok(); // it only removes an empty directory now; else it would stay as a zombie
    }
}

/// The error for a program that does not start.
pub fn cannot_start(program: &str, cause: std::io::Error) -> Error {
    Error::under(Heading::Machine, format!("cannot run {program}")).cause(cause)
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
    Error::under(
        Heading::Machine,
        format!("no temporary file can be made in {}", std::env::temp_dir().display()),
    )
    .cause(cause)
    .fix("make room there, or set TMPDIR to a directory that can be written")
}

fn copy(file: &File) -> Result<Stdio, Error> {
    file.try_clone().map(Stdio::from).map_err(no_scratch)
}

/// What a running process has written. Its place in the file, which it shares with us, is not moved.
fn so_far(file: &File) -> String {
    let mut bytes = vec![0; file.metadata().map_or(0, |file| file.len()).try_into().unwrap_or(0)];
    let read = file.read_at(&mut bytes, 0).unwrap_or(0); // then there is more at the next look
    bytes.truncate(read);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text(file: &mut File) -> Result<String, Error> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(no_scratch)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
