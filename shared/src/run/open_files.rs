//! Finds the processes that hold files of runs open. This is the truth about a run whose directory
//! was deleted while it was alive.
//!
//! The kernel remembers the path of an open file, even after the file was deleted. A process of a
//! run holds the run's `members` open. A server of the run holds the log open to which it prints.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::layout::{self, MEMBERS};
use super::{base, ledger};

/// The files of this user's runs that processes hold open, as far as this process may look.
///
/// Invariant: a file counts as open unless it is proved that no process holds it open.
pub(crate) struct OpenFiles {
    files: HashMap<i32, Vec<Open>>,
    /// The processes that see other mounts than this process.
    elsewhere: HashSet<i32>,
}

/// A file below a base of this user that a process holds open.
struct Open {
    path: PathBuf,
    is_deleted: bool,
    /// The device and the number of the file, whatever has its path by now.
    id: Option<(u64, u64)>,
    /// Whether it is standard output or standard error. A program prints there; a process that only
    /// reads a log has it elsewhere.
    is_printed_to: bool,
}

impl OpenFiles {
    /// Looks at all processes. `None` if the system does not allow it.
    #[cfg(target_os = "linux")]
    pub(crate) fn look() -> Option<OpenFiles> {
        let processes = std::fs::read_dir("/proc").ok()?.flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut files: HashMap<i32, Vec<Open>> =
            pids.map(|pid| (pid, of_process(pid))).filter(|(_, files)| !files.is_empty()).collect();
        let mounts = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/mnt"));
        let here = mounts("self").ok();
        let mut elsewhere = HashSet::new();
        files.retain(|pid, _| match mounts(&pid.to_string()) {
            Err(error) if is_gone(&error) => false,
            mounts => {
                if mounts.ok() != here {
                    elsewhere.insert(*pid);
                }
                true
            }
        });
        Some(OpenFiles { files, elsewhere })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn look() -> Option<OpenFiles> {
        None
    }

    /// Whether a process takes part in the run that had this directory. The directory was deleted,
    /// or cannot be seen from here.
    ///
    /// A file of this path that is not deleted belongs to a newer run, if that run has its token:
    /// whoever deletes the directory may take the token before this file. A process with other
    /// mounts may see another path, so the last names of the path decide. The process that looks
    /// takes part in nothing: it is the reaper of a newer run, which has deleted the directory of
    /// that run.
    pub(crate) fn hold(&self, run: &Path) -> bool {
        let members = run.join(MEMBERS);
        let is_newer = |file: &Open| {
            !file.is_deleted && file.id == id_of(&members) && !layout::token(run).is_empty()
        };
        let is_held = |(pid, files): (&i32, &Vec<Open>)| match self.elsewhere.contains(pid) {
            _ if *pid == std::process::id().cast_signed() => false,
            true => files.iter().any(|file| tail(&file.path) == tail(&members)),
            false => files.iter().any(|file| file.path == members && !is_newer(file)),
        };
        self.files.iter().any(is_held)
    }

    /// Servers that print to a log of a run whose directory was deleted, if no process takes part
    /// in that run. Of each family of processes, the first.
    pub(crate) fn orphans(&self) -> Vec<i32> {
        let is_over = |run: &Path, pid: i32| {
            // Somebody may have deleted the log alone: then the run there has the server in its notes.
            !self.hold(run) && !ledger::native_pids(run).contains(&pid)
        };
        let is_orphan = |(pid, files): &(&i32, &Vec<Open>)| {
            files.iter().any(|file| {
                let is_log = file.path.extension().is_some_and(|name| name == "log");
                let is_servers = file.is_deleted && file.is_printed_to && is_log;
                is_servers && file.path.parent().is_some_and(|run| is_over(run, **pid))
            })
        };
        // The reaper that looks prints to a log, too, and would end itself.
        let own = std::process::id().cast_signed();
        let others = self.files.iter().filter(|(pid, _)| **pid != own);
        let orphans: Vec<i32> = others.filter(is_orphan).map(|(pid, _)| *pid).collect();
        let parent = |pid: &i32| super::process::parent(*pid).unwrap_or_default();
        orphans.iter().filter(|pid| !orphans.contains(&parent(pid))).copied().collect()
    }
}

/// Whether the process has ended since its files were listed: it holds none of them any more, and its
/// mounts are not those of another container.
#[cfg(target_os = "linux")]
fn is_gone(error: &std::io::Error) -> bool {
    let no_such_process = nix::errno::Errno::ESRCH as i32;
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(no_such_process)
}

#[cfg(target_os = "linux")]
fn of_process(pid: i32) -> Vec<Open> {
    const DELETED: &str = " (deleted)";
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let files = open.filter_map(|entry| {
        let link = std::fs::read_link(entry.path()).ok()?;
        let whole = link.to_string_lossy().strip_suffix(DELETED).map(PathBuf::from);
        let is_printed_to = ["1", "2"].iter().any(|number| entry.file_name() == *number);
        let (is_deleted, path) = (whole.is_some(), whole.unwrap_or(link));
        is_of_a_run(&path).then(|| Open {
            id: id_of(&entry.path()),
            path,
            is_deleted,
            is_printed_to,
        })
    });
    files.collect()
}

fn id_of(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|file| (file.dev(), file.ino()))
}

/// `…/testenv-runs-<user>/<run>/<file>`
fn is_of_a_run(path: &Path) -> bool {
    let base = path.parent().and_then(Path::parent).and_then(Path::file_name);
    base.is_some_and(|name| name.to_string_lossy() == base::name())
}

/// The base, the run and the file.
fn tail(path: &Path) -> PathBuf {
    let mut names: Vec<_> = path.iter().rev().take(3).collect();
    names.reverse();
    names.into_iter().collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::File;
    use std::process::{Child, Command};

    use super::super::process::Process;
    use super::*;

    struct Ended(Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.kill().ok(); // it has ended before
            self.0.wait().ok();
        }
    }

    /// Between the look at its files and the look at its mounts. It was taken for one of another container.
    #[test]
    fn a_process_that_has_just_ended_is_gone() {
        let ended = Ended(Command::new("true").spawn().unwrap());
        let pid = ended.0.id();
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        crate::wait::until_blocking(std::time::Duration::from_secs(20), "a zombie", || {
            if stat().contains(") Z ") { Ok(()) } else { Err(stat()) }
        })
        .unwrap();
        let mounts = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/mnt"));

        assert!(is_gone(&mounts(pid).unwrap_err()), "nobody has collected it");
        drop(ended);
        assert!(is_gone(&mounts(pid).unwrap_err()), "collected");
        assert!(mounts(std::process::id()).is_ok());
    }

    /// Whoever deletes a directory takes one file after the other, in any order.
    #[test]
    fn a_run_is_held_while_somebody_deletes_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join(base::name()).join("lives");
        std::fs::create_dir_all(&run).unwrap();
        let (members, token) = (run.join(MEMBERS), run.join("token"));
        std::fs::write(&members, "").unwrap();
        let mut member = Command::new("sleep");
        member.arg("60").stdin(File::open(&members).unwrap());
        let member = Ended(member.spawn().unwrap());
        let is_held = || OpenFiles::look().unwrap().hold(&run);

        assert!(is_held(), "the token went first");
        let before = OpenFiles::look().unwrap();
        std::fs::remove_file(&members).unwrap();
        assert!(is_held() && before.hold(&run), "now the members, before or after the look");

        // A newer run of the same name, which the process that looks takes part in.
        std::fs::write(&members, "").unwrap();
        std::fs::write(&token, "newer").unwrap();
        assert!(is_held() && before.hold(&run));
        let mut newer = Command::new("sleep");
        newer.arg("60").stdin(File::open(&members).unwrap());
        let newer = Ended(newer.spawn().unwrap());
        drop(member);
        assert!(!is_held(), "by {} of another run", newer.0.id());
    }

    #[test]
    fn who_reads_the_log_of_a_run_that_is_gone_is_no_server_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join(base::name()).join("gone");
        std::fs::create_dir_all(&run).unwrap();
        let log = run.join("server.log");
        File::create(&log).unwrap();
        let sleep = || {
            let mut sleep = Command::new("sleep");
            sleep.arg("60");
            sleep
        };
        let printing = File::options().append(true).open(&log).unwrap();
        let server = Ended(sleep().stderr(printing).spawn().unwrap());
        let reader = Ended(sleep().stdin(File::open(&log).unwrap()).spawn().unwrap());
        std::fs::remove_dir_all(&run).unwrap();
        // Another run of the same name lives by now.
        std::fs::create_dir_all(run.join("ledger")).unwrap();
        let _member = File::create(run.join(MEMBERS)).unwrap();
        let is_one = |child: &Ended| {
            OpenFiles::look().unwrap().orphans().contains(&child.0.id().cast_signed())
        };

        assert_eq!((is_one(&server), is_one(&reader)), (true, false));

        // That run is over, too, and its reaper, which is this process, has removed its directory and looks on.
        std::fs::remove_dir_all(&run).unwrap();
        assert!(is_one(&server), "a reaper takes part in nothing");
        std::fs::create_dir_all(run.join("ledger")).unwrap();

        // Only the log was deleted, of a run that lives and has the server in its notes.
        let line = Process::line(server.0.id().cast_signed()).unwrap();
        std::fs::write(run.join("ledger/native.server"), line).unwrap();
        assert!(!is_one(&server));
    }
}
