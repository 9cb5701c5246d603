//! The sweep at a user's request: it does now what the next run's sweep would do, and reports it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::base::Base;
use super::cleaner::{self, Fate, Fates};
use super::sweep::sweep_run;
use super::{known, ledger, orphans, reaper};
use crate::wait;

/// A reaper waits for its grace, 2 s, and then has 15 s to remove everything.
const LIMIT: Duration = Duration::from_secs(20);

/// A run that a reaper was started for.
struct Started {
    dir: PathBuf,
    name: String,
    /// The length of the reapers' log before.
    log: usize,
}

/// Sweeps everything that earlier runs of this user left, waits for the end, and returns what
/// became of each object.
pub(crate) fn sweep() -> Fates {
    let mut fates = Vec::new();
    let mut started = Vec::new();
    for path in known::all() {
        match Base::lock_existing(&path) {
            Ok(Some(base)) => {
                base.remove_scratch();
                for dir in base.run_dirs() {
                    let (name, log) = (name(&dir), log(&dir).len());
                    match sweep_run(&dir) {
                        None => started.push(Started { dir, name, log }),
                        Some(fate) => fates.push((name, fate)),
                    }
                }
            }
            Ok(None) => known::forget(&path),
            Err(error) => fates.push((path.display().to_string(), Fate::Left(error.to_string()))),
        }
    }
    await_reapers(&started);
    fates.extend(started.into_iter().map(|run| (run.name.clone(), run.fate())));
    for path in known::all() {
        if let Ok(Some(base)) = Base::lock_existing(&path) {
            base.remove_if_empty();
        }
    }
    fates.extend(orphans::sweep());
    for sweep in cleaner::all().iter().filter_map(|cleaner| cleaner.sweep) {
        fates.extend(sweep());
    }
    fates
}

/// Waits until each run is gone, or its reaper has started and ended.
fn await_reapers(started: &[Started]) {
    let mut seen = HashSet::new();
    let at_work = |run: &&Started, seen: &mut HashSet<PathBuf>| {
        let is_alive = reaper::any_alive(&run.dir);
        let was_alive =
            if is_alive { !seen.insert(run.dir.clone()) } else { seen.contains(&run.dir) };
        run.dir.exists() && (is_alive || !was_alive)
    };
    // Whoever is not done by then is told as such.
    wait::until_blocking(LIMIT, "the end of the sweep", || {
        let left = started.iter().filter(|run| at_work(run, &mut seen)).count();
        if left == 0 { Ok(()) } else { Err(format!("{left} runs are left")) }
    })
    .ok();
}

impl Started {
    fn fate(&self) -> Fate {
        if !self.dir.exists() {
            return Fate::Removed;
        }
        if reaper::any_alive(&self.dir) {
            return Fate::Left(format!("its reaper was not done after {} s", LIMIT.as_secs()));
        }
        let log = log(&self.dir);
        Fate::Refused(log.get(self.log..).unwrap_or(&log).trim().to_owned())
    }
}

/// The run's directory, and what it noted.
fn name(dir: &Path) -> String {
    let entries = std::fs::read_dir(ledger::dir(dir)).into_iter().flatten().flatten();
    let mut things: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().replacen('.', " ", 1)).collect();
    things.sort();
    let things = if things.is_empty() { "nothing noted".into() } else { things.join(", ") };
    format!("run {} ({things})", dir.display())
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join(reaper::LOG)).unwrap_or_default()
}
