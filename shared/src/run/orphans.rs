//! What a run left whose directory was deleted, so that no note mentions it any more: servers,
//! their data, containers.
//!
//! Invariant: an object is an orphan only if its run is provably over. That means: this user made
//! the object on this machine, the run has no directory, and no process takes part in the run. What
//! cannot be known is left alone.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::base::{self, Base};
use super::cleaner::{Fate, Fates};
use super::machine::Machine;
use super::open_files::OpenFiles;
use super::process::Process;
use super::{known, layout, ledger, native};
use crate::wait;

/// The file in a directory of data that names its run.
const OWNER: &str = "owner";

/// The deletion of a run's directory takes milliseconds.
const DELETION: Duration = Duration::from_millis(300);

/// The start of the names of directories of data outside the run's directory.
const DATA: &str = "testenv-";

/// The owner of an object outside the run's directory: the machine and that directory. It is
/// written in a label or a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    machine: Machine,
    run: PathBuf,
}

impl Owner {
    pub(crate) fn of(run: &Path) -> Owner {
        Owner { machine: Machine::here().clone(), run: run.to_owned() }
    }

    /// Reads what `Display` wrote.
    pub(crate) fn parse(text: &str) -> Option<Owner> {
        let (machine, run) = text.split_once(' ')?;
        Some(Owner { machine: Machine::parse(machine)?, run: run.trim_end_matches('\n').into() })
    }

    fn is_this_user(&self) -> bool {
        let base = self.run.parent().and_then(Path::file_name);
        base.is_some_and(|name| name.to_string_lossy() == base::name())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.machine, self.run.display())
    }
}

/// What is known of all runs at one moment. It is made after the list of the objects to be judged,
/// because whoever made an object had joined its run before.
pub(crate) struct Runs {
    open: Option<OpenFiles>,
    with_a_directory: HashSet<String>,
}

impl Runs {
    pub(crate) fn look() -> Runs {
        let dirs = known::all().into_iter().flat_map(|base| Base::runs_in(&base));
        Runs {
            with_a_directory: dirs.map(|dir| layout::token(&dir)).collect(),
            open: OpenFiles::look(),
        }
    }

    /// Whether the run with this token is over, and only the object itself is evidence that the run
    /// existed.
    pub(crate) fn is_over(&self, owner: &Owner, token: &str) -> bool {
        let nobody_takes_part = || match &self.open {
            Some(open) => owner.machine.is_in_sight() && !open.hold(&owner.run),
            None => false,
        };
        self.has_no_directory(owner, token)
            && (owner.machine.is_before_this_boot() || nobody_takes_part())
    }

    /// Whether no directory of this run of this user can be seen from here. The run's processes may
    /// be alive.
    pub(crate) fn has_no_directory(&self, owner: &Owner, token: &str) -> bool {
        let has_one = self.with_a_directory.contains(token) || layout::token(&owner.run) == token;
        owner.is_this_user() && !token.is_empty() && !has_one
    }
}

/// Creates the directory of a server's data outside the run's directory. It is noted first, and
/// named after the run.
pub(crate) fn make_data_dir(
    run: &super::member::Run,
    service: &str,
    parent: &Path,
) -> Result<PathBuf, crate::Error> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let dir = parent.join(format!("{DATA}{service}-{}", run.token()));
    ledger::note(run.dir(), "dir", service, &dir.display().to_string())?;
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&dir)
        // A umask may take from the mode above.
        .and_then(|()| std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)))
        .and_then(|()| crate::secret::write(&dir.join(OWNER), &Owner::of(run.dir()).to_string()))
        .map_err(|cause| layout::unwritable(&dir, &cause))?;
    Ok(dir)
}

/// Ends the servers and removes the data of runs whose directory was deleted. Returns what became
/// of each. Blocks. It is for the reaper.
pub(super) fn sweep() -> Fates {
    let mut fates = Vec::new();
    for pid in orphans() {
        if let Some(process) = Process::of(pid) {
            // Another user's is not ours to end.
            let fate = native::end(&process).map_or_else(Fate::Refused, |()| Fate::Removed);
            fates.push((format!("server process {pid}"), fate));
        }
    }
    let dirs: Vec<PathBuf> = data_dirs().collect();
    let runs = Runs::look();
    for dir in dirs {
        let text = std::fs::read_to_string(dir.join(OWNER)).unwrap_or_default();
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let token = name.rsplit('-').next().unwrap_or_default();
        let fate = match Owner::parse(&text) {
            None => Fate::Left("nothing in it says whose it is".into()),
            Some(owner) if runs.is_over(&owner, token) => {
                // The next run tries again.
                ledger::remove_dir(&dir).map_or_else(Fate::Refused, |()| Fate::Removed)
            }
            Some(_) => Fate::Left("its run is not provably over".into()),
        };
        fates.push((dir.display().to_string(), fate));
    }
    fates
}

/// Servers without a run, at two looks: whoever deletes a directory takes one file after the other.
fn orphans() -> Vec<i32> {
    let look = || OpenFiles::look().map(|open| open.orphans()).unwrap_or_default();
    let mut orphans = look();
    if !orphans.is_empty() {
        wait::nap_blocking(DELETION);
        let still = look();
        orphans.retain(|pid| still.contains(pid));
    }
    orphans
}

/// Whoever is killed in the middle leaves a directory that still says whose it is.
pub(super) fn remove_data_dir(dir: &Path) -> std::io::Result<()> {
    // What a link leads to is not ours.
    if dir.symlink_metadata()?.is_dir() {
        for entry in std::fs::read_dir(dir)?.flatten() {
            let removed = match entry.file_type() {
                _ if entry.file_name() == OWNER => continue,
                Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(entry.path()),
                _ => std::fs::remove_file(entry.path()),
            };
            removed.ok(); // the next line says what refuses
        }
    }
    std::fs::remove_dir_all(dir)
}

/// Directories that may hold the data of a run: in memory and in the temporary directories, never by a link.
fn data_dirs() -> impl Iterator<Item = PathBuf> {
    let places = ["/dev/shm".into(), "/tmp".into(), "/var/tmp".into(), crate::temporary::dir()];
    let places: HashSet<PathBuf> = HashSet::from(places);
    let entries = places.into_iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten();
    let dirs = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(DATA) && !name.starts_with(base::PREFIX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(open: Option<OpenFiles>) -> Runs {
        Runs { open, with_a_directory: HashSet::from(["alive".to_owned()]) }
    }

    fn owner(machine: &str, run: &str) -> Owner {
        Owner::parse(&format!("{machine} {run}")).unwrap()
    }

    #[test]
    fn only_a_run_of_this_user_on_this_machine_without_directory_and_process_is_over() {
        let here = Machine::here().to_string();
        let elsewhere = "id/another-boot/1";
        let gone = format!("/nonexistent/{}/gone", base::name());
        let is_over = |machine: &str, run: &str, token: &str| {
            runs(OpenFiles::look()).is_over(&owner(machine, run), token)
        };

        assert_eq!(is_over(&here, &gone, "token"), cfg!(target_os = "linux"));
        assert!(!is_over(&here, &gone, "alive"), "another base has its directory");
        assert!(!is_over(&here, &gone, ""));
        assert!(!is_over(&here, "/nonexistent/testenv-runs-4242/gone", "token"), "another user's");
        assert!(!is_over(&here, "/nonexistent/runs", "token"), "not of a base of ours");
        assert!(!is_over(elsewhere, &gone, "token"), "another machine");
        assert!(!runs(None).is_over(&owner(&here, &gone), "token"), "nobody can look");
    }

    #[test]
    fn a_run_whose_directory_was_deleted_is_not_over_while_a_process_takes_part() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join(base::name()).join("deleted under us");
        std::fs::create_dir_all(&run).unwrap();
        let members = std::fs::File::create(run.join(layout::MEMBERS)).unwrap();
        let mut member = std::process::Command::new("sleep");
        let mut member = member.arg("60").stdin(members).spawn().unwrap();
        std::fs::remove_dir_all(dir.path().join(base::name())).unwrap();
        let owner = Owner::of(&run);

        assert!(!runs(OpenFiles::look()).is_over(&owner, "token"));

        member.kill().and_then(|()| member.wait()).unwrap();
        assert_eq!(runs(OpenFiles::look()).is_over(&owner, "token"), cfg!(target_os = "linux"));
    }

    /// Each directory has a name of its own, so what is seen of one is not of the next.
    #[test]
    fn a_directory_that_is_removed_says_whose_it_is_to_the_last() {
        let base = tempfile::tempdir().unwrap();
        let dirs: Vec<_> = (0..50).map(|number| base.path().join(number.to_string())).collect();
        for dir in &dirs {
            std::fs::create_dir(dir).unwrap();
            std::fs::write(dir.join(OWNER), "").unwrap();
            (0..200).for_each(|file| std::fs::write(dir.join(format!("{file}.log")), "").unwrap());
        }

        let without_owner = std::thread::scope(|threads| {
            let watched = threads.spawn(|| {
                let has_more = |dir: &&PathBuf| {
                    std::iter::repeat_with(|| dir.join(OWNER).exists()).find(|is_there| !is_there);
                    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
                };
                dirs.iter().filter(has_more).count()
            });
            dirs.iter().for_each(|dir| ledger::remove_dir(dir).unwrap());
            watched.join().unwrap()
        });

        assert_eq!(without_owner, 0);
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_link_leads_to_stays() {
        let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(theirs.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink(theirs.path(), ours.path().join("link")).unwrap();

        ledger::remove_dir(&ours.path().join("link")).ok();
        ledger::remove_dir(ours.path()).unwrap();

        assert!(theirs.path().join("file").exists() && !ours.path().exists());
    }
}
