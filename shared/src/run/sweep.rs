//! The sweep: the next run removes what earlier runs left because their reaper was killed with
//! them.
//!
//! Invariant: a run is swept only if no process holds it, and only by a program that can remove
//! something that the run left.

use std::fs::File;
use std::path::Path;

use super::base::Base;
use super::cleaner::{self, Fate};
use super::layout::MEMBERS;
use super::{known, ledger, orphans, reaper};

/// Starts reapers for the runs in `base` that provably have no owner: no process holds such a run,
/// and no living reaper can remove everything that the run made.
///
/// A program that was built without a service cannot remove what belongs to this service. It leaves
/// such a run to a program that can.
pub(super) fn sweep(base: &Base, own: Option<&Path>) {
    base.remove_scratch();
    for dir in base.run_dirs().into_iter().filter(|dir| Some(dir.as_path()) != own) {
        sweep_run(&dir); // refused where no process can be started: the next run tries again
    }
}

/// Starts a reaper for a run that provably has no owner. Otherwise returns why none was started.
pub(super) fn sweep_run(dir: &Path) -> Option<Fate> {
    let Ok(members) = File::open(dir.join(MEMBERS)) else { return Some(Fate::Removed) };
    if members.try_lock().is_err() {
        return Some(Fate::Left("a live process takes part in the run".into()));
    }
    let hindrance = hindrance(dir);
    if hindrance.is_some() {
        return hindrance;
    }
    // The engine it used, not the one of this run.
    let engine =
        std::fs::read_to_string(ledger::dir(dir).join("docker.engine")).unwrap_or_default();
    let vars: Vec<(&str, &str)> = engine.lines().filter_map(|line| line.split_once('=')).collect();
    reaper::start(dir, &vars).err().map(|error| Fate::Refused(error.to_string()))
}

/// Sweeps what a run in this base would not find: the other bases of this user, and objects that
/// have no note any more. Blocks. It is for the reaper of a live run.
pub(super) fn sweep_elsewhere(own: &Path) {
    for path in known::all().into_iter().filter(|path| Some(path.as_path()) != own.parent()) {
        match Base::lock_existing(&path) {
            Ok(Some(base)) => {
                sweep(&base, None);
                base.remove_if_empty();
            }
            Ok(None) => known::forget(&path),
            Err(_) => {} // somebody else's, or held: the next run looks again
        }
    }
    sweep_unnoted();
}

/// Sweeps the objects that have no note any more, of all runs of this user that are over. Blocks.
pub(super) fn sweep_unnoted() {
    orphans::sweep();
    for sweep in cleaner::all().iter().filter_map(|cleaner| cleaner.sweep) {
        sweep();
    }
}

/// Why a reaper of this program would remove nothing from a run. `None` if it would remove
/// something that no living reaper can remove.
fn hindrance(dir: &Path) -> Option<Fate> {
    let left = ledger::kinds_of(dir);
    let is_kept = reaper::alive(dir)
        .any(|reaper| left.iter().all(|kind| reaper.split('+').any(|removes| removes == kind)));
    let is_ours = |kind: &String| ledger::kinds().contains(&kind.as_str());
    if is_kept {
        return Some(Fate::Left("its reaper is about to remove it".into()));
    }
    let why = || format!("this program was built without the features for: {}", left.join(", "));
    (!left.is_empty() && !left.iter().any(is_ours)).then(|| Fate::Refused(why()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use super::super::layout;
    use super::super::reaper::file_of;
    use super::{hindrance, ledger};

    fn run_that_left(kinds: &[&str]) -> tempfile::TempDir {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(ledger::dir(run.path())).unwrap();
        for kind in kinds {
            std::fs::write(layout::note(run.path(), kind, "a"), "").unwrap();
        }
        run
    }

    fn can_help(run: &Path) -> bool {
        hindrance(run).is_none()
    }

    fn reaper(file: &Path) -> File {
        let reaper = File::create(file).unwrap();
        reaper.lock().unwrap();
        reaper
    }

    #[test]
    fn a_run_is_swept_unless_a_reaper_that_can_remove_all_of_it_lives() {
        let run = run_that_left(&ledger::kinds());
        let _of_a_smaller_binary = reaper(&run.path().join("reaper+native"));
        assert!(can_help(run.path()));

        let _twin = reaper(&file_of(run.path()));
        assert!(!can_help(run.path()));
    }

    #[test]
    fn a_run_that_left_nothing_we_can_remove_is_left_to_others() {
        assert!(!can_help(run_that_left(&["a service of tomorrow"]).path()));
        assert!(can_help(run_that_left(&["a service of tomorrow", "dir"]).path()));
        assert!(can_help(run_that_left(&[]).path()));
    }
}
