//! Who holds files of runs open: the truth about a run whose directory was deleted under it.
//!
//! The kernel goes on to say of an open file which path it had. A process of a run holds its `members` open, and a server of the run the log that it
//! prints to.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::{MEMBERS, base};

/// The files of runs of this user that processes hold open, as far as this process may look.
///
/// Invariant: what is not provably closed by all counts as open.
pub(crate) struct OpenFiles {
    /// By process: paths below a base of this user, and whether they are deleted.
    files: HashMap<i32, Vec<(PathBuf, bool)>>,
    /// Those that see other mounts than this process.
    elsewhere: HashSet<i32>,
}

impl OpenFiles {
    /// Looks at all processes. Nothing where the system does not tell.
    #[cfg(target_os = "linux")]
    pub(crate) fn look() -> Option<OpenFiles> {
        let processes = std::fs::read_dir("/proc").ok()?.flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let files = pids.map(|pid: i32| (pid, of_process(pid)));
        let files: HashMap<_, _> = files.filter(|(_, files)| !files.is_empty()).collect();
        let mounts = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let here = mounts("self");
        let elsewhere = files.keys().filter(|pid| mounts(&pid.to_string()) != here);
        Some(OpenFiles { elsewhere: elsewhere.copied().collect(), files })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn look() -> Option<OpenFiles> {
        None
    }

    /// Whether a process takes part in the run that had this directory. Behind other mounts, where its path may begin otherwise, its last names tell.
    pub(crate) fn hold(&self, run: &Path) -> bool {
        let members = run.join(MEMBERS);
        let is_held = |(pid, files): (&i32, &Vec<(PathBuf, bool)>)| {
            let mut paths = files.iter().map(|(path, _)| path);
            match self.elsewhere.contains(pid) {
                true => paths.any(|path| tail(path) == tail(&members)),
                false => paths.any(|path| *path == members),
            }
        };
        self.files.iter().any(is_held)
    }

    /// Servers that write to a log of a run whose directory was deleted, and in which no process takes part; the first of each family.
    pub(crate) fn orphans(&self) -> Vec<i32> {
        let is_orphan = |files: &Vec<(PathBuf, bool)>| {
            files.iter().any(|(path, is_deleted)| {
                let is_log = path.extension().is_some_and(|name| name == "log");
                *is_deleted && is_log && path.parent().is_some_and(|run| !self.hold(run))
            })
        };
        let orphans: Vec<i32> =
            self.files.iter().filter(|(_, files)| is_orphan(files)).map(|(pid, _)| *pid).collect();
        let parent = |pid: &i32| super::process::parent(*pid).unwrap_or_default();
        orphans.iter().filter(|pid| !orphans.contains(&parent(pid))).copied().collect()
    }
}

#[cfg(target_os = "linux")]
fn of_process(pid: i32) -> Vec<(PathBuf, bool)> {
    const DELETED: &str = " (deleted)";
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let files = links.map(|link| {
        let text = link.to_string_lossy();
        text.strip_suffix(DELETED).map_or((link.clone(), false), |path| (path.into(), true))
    });
    files.filter(|(path, _)| is_of_a_run(path)).collect()
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
