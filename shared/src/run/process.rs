//! A process. Its start time tells it apart from a later process with the same number.

use std::fmt;
use std::path::PathBuf;

/// Invariant: two values are equal only if they are one process, however often its number is used
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    start: String,
}

impl Process {
    /// The process with this number, unless there is none or it is a zombie.
    pub(crate) fn of(pid: i32) -> Option<Process> {
        let start = start(&status(pid)?)?;
        Some(Process { pid, start })
    }

    /// The process that wrote `<pid> <its status line>`, see [`STATUS_SH`].
    pub(crate) fn parse(text: &str) -> Option<Process> {
        let (pid, status) = text.trim().split_once(' ')?;
        Some(Process { pid: pid.parse().ok()?, start: start(status)? })
    }

    pub(crate) fn is_alive(&self) -> bool {
        Process::of(self.pid).as_ref() == Some(self)
    }

    /// The line that [`Process::parse`] reads.
    pub(crate) fn line(pid: i32) -> Option<String> {
        Some(format!("{pid} {}", status(pid)?.trim()))
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.pid, self.start)
    }
}

/// The runner that started this process, if one did. It lives as long as the run.
///
/// Between both may be a wrapper that cargo's setting `runner` names: `timeout`, a script, an
/// emulator. A shell or an IDE's daemon may live for days and is no runner. If this process is a
/// child of another test, the runner of that test does not count.
pub(super) fn runner() -> Option<i32> {
    const RUNNERS: [&str; 3] = ["cargo", "cargo-nextest", "rustdoc"];
    /// A script that calls another that calls a wrapper.
    const DEPTH: usize = 5;
    let ancestors =
        std::iter::successors(parent(std::process::id().cast_signed()), |pid| parent(*pid));
    let mut wrappers = ancestors.take(DEPTH).take_while(|pid| !is_test(*pid));
    wrappers.find(|pid| name(*pid).is_some_and(|name| RUNNERS.contains(&name.as_str())))
}

/// Whether cargo built the program of the process for tests. Such a program is in a directory
/// `deps`.
fn is_test(pid: i32) -> bool {
    program(pid).is_some_and(|path| path.parent().is_some_and(|dir| dir.ends_with("deps")))
}

/// In `sh`: the status of the shell's own process, as [`status`] returns it.
#[cfg(target_os = "linux")]
pub(super) const STATUS_SH: &str = "read -r status < /proc/$$/stat";
#[cfg(not(target_os = "linux"))]
pub(super) const STATUS_SH: &str = "status=$(ps -o stat=,lstart= -p $$)";

#[cfg(target_os = "linux")]
fn status(pid: i32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()
}

/// Fields 3 (state) and 22 (start, in clock ticks since the machine started) of `/proc/<pid>/stat`,
/// proc(5). The name before them may contain any character.
#[cfg(target_os = "linux")]
fn start(status: &str) -> Option<String> {
    let fields: Vec<&str> = status.rsplit_once(')')?.1.split_whitespace().collect();
    (!matches!(*fields.first()?, "Z" | "X"))
        .then(|| fields.get(19).map(|start| (*start).to_owned()))?
}

#[cfg(target_os = "linux")]
fn name(pid: i32) -> Option<String> {
    Some(std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned())
}

/// Field 4 of `/proc/<pid>/stat`.
#[cfg(target_os = "linux")]
pub(super) fn parent(pid: i32) -> Option<i32> {
    status(pid)?.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The process's program, as it was called. Only its own user may read what it really is.
#[cfg(target_os = "linux")]
fn program(pid: i32) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let program = line.split(|byte| *byte == 0).next()?;
    Some(std::ffi::OsString::from_vec(program.to_owned()).into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn parent(pid: i32) -> Option<i32> {
    ps("ppid=", pid)?.trim().parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn program(pid: i32) -> Option<PathBuf> {
    Some(ps("comm=", pid)?.trim().into())
}

#[cfg(not(target_os = "linux"))]
fn status(pid: i32) -> Option<String> {
    ps("stat=,lstart=", pid)
}

#[cfg(not(target_os = "linux"))]
fn start(status: &str) -> Option<String> {
    let mut words = status.split_whitespace();
    (!words.next()?.starts_with('Z')).then(|| words.collect::<Vec<_>>().join("_"))
}

#[cfg(not(target_os = "linux"))]
fn name(pid: i32) -> Option<String> {
    Some(ps("comm=", pid)?.trim().rsplit('/').next()?.to_owned())
}

#[cfg(not(target_os = "linux"))]
fn ps(what: &str, pid: i32) -> Option<String> {
    let output = std::process::Command::new("ps")
        .args(["-o", what, "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_it_is_reaped_or_a_zombie() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id().cast_signed()).unwrap();
        assert!(process.is_alive());

        child.kill().unwrap();

        crate::wait::until_blocking(
            std::time::Duration::from_secs(5),
            "the end of a killed process",
            || {
                if process.is_alive() { Err("alive") } else { Ok(()) }
            },
        )
        .unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_line_that_a_process_writes_of_itself_names_the_same_process() {
        let me = std::process::id().cast_signed();

        assert_eq!(Process::parse(&Process::line(me).unwrap()), Process::of(me));
    }
}
