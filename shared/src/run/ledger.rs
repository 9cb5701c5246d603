//! The ledger: what a run made outside its processes, noted before it is made.
//!
//! Each object is a file in `<run>/ledger/`, named `<kind>.<name>`. The reaper removes the object,
//! then the file.
//!
//! Invariant: an object exists only while its file exists, so a crash at any moment leaves a note
//! and no leak.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::cleaner::{self, Refused};
use super::process::Process;

use crate::Error;

/// The kinds of objects that belong to the run itself: servers that are processes, and directories
/// of data.
const OWN: [&str; 2] = ["native", "dir"];

/// After 24 h we stop retrying an unreachable external server; otherwise every run would retry it.
/// If a server answers and refuses, every sweep tries again, because the objects there are still
/// ours.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// The kinds that this program can remove. Another program of the same run may have been built with
/// other services.
pub(super) fn kinds() -> Vec<&'static str> {
    OWN.into_iter().chain(cleaner::all().iter().map(|cleaner| cleaner.kind)).collect()
}

pub(super) use super::layout::notes as dir;

/// Notes an object. Call it before the object is made.
pub(crate) fn note(run: &Path, kind: &str, name: &str, content: &str) -> Result<(), Error> {
    debug_assert!(kinds().contains(&kind), "the reaper can remove a {kind}");
    let file = super::layout::note(run, kind, name);
    // A note that is changed is whole at every moment, too: half of one would name no server. Its scratch file is no note.
    let scratch = run.join(format!("note-{}", crate::secret::word()));
    crate::secret::write(&scratch, content)
        .and_then(|()| std::fs::rename(&scratch, &file))
        .map_err(|cause| super::layout::unwritable(&file, &cause))
}

/// Takes a note back. Call it after the object was removed, or when its server refused to make it.
pub(crate) fn forget(run: &Path, kind: &str, name: &str) {
    std::fs::remove_file(super::layout::note(run, kind, name)).ok(); // the reaper finds the object gone
}

/// Removes everything that this program can remove. The rest stays noted. The error has the words
/// of everything that refused, for the reaper's log.
pub(super) fn remove_all(run: &Path) -> Result<(), String> {
    let token = super::layout::token(run);
    let (mut refused, mut silent) = (Vec::new(), Silent::default());
    for file in files(run) {
        let label = label(&file);
        let Some((kind, name)) = label.split_once('.') else { continue };
        let removed = match std::fs::read_to_string(&file) {
            Ok(text) if silent.has(kind, &text) => {
                refused.push(format!("{kind} {name}: not tried, its server is silent"));
                continue;
            }
            Ok(text) => silent.watch(kind, &text, || remove(&token, &label, &text)),
            Err(error) => Err(Refused::Stays(error.to_string())),
        };
        match removed {
            Ok(()) => drop(std::fs::remove_file(&file)),
            Err(Refused::Stays(why)) => {
                std::fs::remove_file(away(run, &label)).ok(); // it may never have been away
                refused.push(format!("{kind} {name}: {why}"));
            }
            Err(Refused::Unreachable(_)) if is_external(kind) && was_away(&away(run, &label)) => {
                drop(std::fs::remove_file(&file));
            }
            Err(Refused::Unreachable(why)) => refused.push(format!("{kind} {name}: {why}")),
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(refused.join("\n")) }
}

/// A server refuses in milliseconds. One that takes longer may take as long for each of a hundred
/// objects, and the end of the run would wait for all of them.
const SILENT: Duration = Duration::from_secs(2);

/// The servers that kept silent when an object was to be removed from them.
#[derive(Default)]
struct Silent(HashSet<String>);

impl Silent {
    fn has(&self, kind: &str, text: &str) -> bool {
        self.0.contains(&server(kind, text))
    }

    /// Removes an object, and notes whether its server kept silent.
    fn watch(
        &mut self,
        kind: &str,
        text: &str,
        remove: impl FnOnce() -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let asked = Instant::now();
        let removed = remove();
        if removed.is_err() && is_external(kind) && asked.elapsed() > SILENT {
            self.0.insert(server(kind, text));
        }
        removed
    }
}

/// The kind and the server of an object, without what else its note says of it.
fn server(kind: &str, text: &str) -> String {
    // The origin of the server, facts about it, and its address.
    let note = text.split_whitespace().take(3);
    [kind].into_iter().chain(note).collect::<Vec<_>>().join(" ")
}

/// How long a note that disappeared is remembered. Whoever cleans a temporary directory by force
/// deletes one file after the other.
const REMEMBERED: Duration = Duration::from_secs(10);

/// A copy of a run's notes in the reaper's memory. Whoever cleans a temporary directory by force
/// deletes the notes of a live run, too.
#[derive(Default)]
pub(super) struct Copy {
    /// Sorted by their labels.
    notes: BTreeMap<String, Remembered>,
}

struct Remembered {
    /// The length that its file had.
    length: u64,
    text: String,
    /// When the file was first missing. `None` while it exists.
    gone: Option<Instant>,
}

impl Copy {
    /// Reads what was noted or changed since the last look.
    pub(super) fn refresh(&mut self, run: &Path, now: Instant) {
        if !dir(run).is_dir() {
            return; // deleted by somebody: nothing more will be read
        }
        let files = files(run);
        let labels: HashSet<String> = files.iter().map(|file| label(file)).collect();
        for (_, note) in self.notes.iter_mut().filter(|(label, _)| !labels.contains(*label)) {
            note.gone.get_or_insert(now);
        }
        self.notes.retain(|_, note| note.gone.is_none_or(|gone| now - gone < REMEMBERED));
        for file in files {
            let (label, length) = (label(&file), file.metadata().map_or(0, |file| file.len()));
            if let Some(known) = self.notes.get_mut(&label).filter(|it| it.length == length) {
                known.gone = None;
                continue;
            }
            // One that is removed at this moment is remembered as it was.
            let Ok(text) = std::fs::read_to_string(&file) else { continue };
            self.notes.insert(label, Remembered { length, text, gone: None });
        }
    }

    /// Removes what is noted in the copy. Nobody is left to be told what refuses.
    pub(super) fn remove_all(&self, token: &str) {
        let mut labels: Vec<&String> = self.notes.keys().collect();
        labels.sort_by_key(|label| order(label));
        let mut silent = Silent::default();
        for label in labels {
            let (kind, text) =
                (label.split('.').next().unwrap_or_default(), &self.notes[label].text);
            if !silent.has(kind, text) {
                silent.watch(kind, text, || remove(token, label, text)).ok(); // the next run's sweep tries again
            }
        }
    }
}

/// Whether no note is left.
pub(super) fn is_empty(run: &Path) -> bool {
    files(run).is_empty()
}

/// The kinds of all noted objects.
pub(super) fn kinds_of(run: &Path) -> Vec<String> {
    let kind = |file: &PathBuf| Some(label(file).split_once('.')?.0.to_owned());
    files(run).iter().filter_map(kind).collect()
}

/// The processes that noted themselves as servers of a run.
pub(super) fn native_pids(run: &Path) -> Vec<i32> {
    let notes = files(run).into_iter().filter(|file| label(file).starts_with("native."));
    let texts = notes.filter_map(|note| std::fs::read_to_string(note).ok());
    texts.filter_map(|text| Some(Process::parse(&text)?.pid)).collect()
}

/// `<kind>.<name>`
fn label(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The file that exists since an object's server was first unreachable.
fn away(run: &Path, label: &str) -> PathBuf {
    run.join(format!("away.{label}"))
}

/// Whether a server has been away for a day. The age of the note does not say that, because the run
/// itself may have lasted for days.
fn was_away(since: &Path) -> bool {
    let first = since.metadata().and_then(|file| file.modified());
    let Ok(first) = first else {
        std::fs::write(since, "").ok(); // the next sweep tries again
        return false;
    };
    first.elapsed().is_ok_and(|age| age > FORGOTTEN)
}

fn is_external(kind: &str) -> bool {
    cleaner::of(kind).is_some_and(|cleaner| cleaner.is_external)
}

fn files(run: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir(run)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort_by_key(|file| order(&label(file)));
    files
}

/// Sorts servers first: while a server writes in a directory, the directory cannot be removed.
fn order(label: &str) -> bool {
    !label.starts_with("native.")
}

fn remove(token: &str, label: &str, text: &str) -> Result<(), Refused> {
    let (kind, name) = label.split_once('.').unwrap_or((label, ""));
    match (kind, cleaner::of(kind)) {
        ("native", _) => Ok(super::native::stop(text)?),
        ("dir", _) => Ok(remove_dir(Path::new(text))?),
        (_, Some(cleaner)) => (cleaner.remove)(token, name, text),
        _ => Err(Refused::Stays(format!(
            "this binary cannot remove it; the run {token} stays until a sweep by a binary that can"
        ))),
    }
}

/// Removes a server's data that does not lie in the run's own directory.
pub(super) fn remove_dir(dir: &Path) -> Result<(), String> {
    for release in cleaner::all().iter().filter_map(|cleaner| cleaner.release) {
        release(dir);
    }
    match super::orphans::remove_data_dir(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}

#[cfg(all(test, feature = "integration", feature = "postgres"))]
mod tests {
    use std::fs::File;
    use std::path::Path;
    use std::time::{Duration, Instant, SystemTime};

    use super::super::layout::note as file;
    use super::{Copy, FORGOTTEN, REMEMBERED, away, dir, note, remove_all};

    /// A note of a database on a server that does not answer.
    fn run() -> tempfile::TempDir {
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir(run.path())).unwrap();
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = format!("external 150000 postgres://u:p@{nobody}/postgres");
        note(run.path(), "postgres", "a", &server).unwrap();
        run
    }

    fn age(path: &Path, age: Duration) {
        #[expect(
            clippy::disallowed_methods,
            reason = "the age of a file is told by the system's clock"
        )]
        let then = SystemTime::now() - age;
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn what_is_on_a_server_that_was_away_for_a_day_is_forgotten() {
        let run = run();
        remove_all(run.path()).unwrap_err();

        age(&away(run.path(), "postgres.a"), FORGOTTEN + Duration::from_secs(60));

        remove_all(run.path()).unwrap();
        assert!(!file(run.path(), "postgres", "a").exists());
    }

    /// It takes connections, and answers on none.
    #[test]
    fn a_server_that_is_silent_holds_up_the_end_of_a_run_once_however_much_is_noted() {
        let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = mute.local_addr().unwrap();
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir(run.path())).unwrap();
        for (name, user, then) in
            [("a", "u", ""), ("b", "u", ""), ("c", "u", " failed"), ("d", "v", "")]
        {
            let server = format!("external 150000 postgres://{user}:p@{place}/postgres{then}");
            note(run.path(), "postgres", name, &server).unwrap();
        }

        let refused = remove_all(run.path()).unwrap_err();

        assert_eq!(refused.lines().count(), 4, "{refused}");
        mute.set_nonblocking(true).unwrap();
        assert_eq!(mute.incoming().map_while(Result::ok).count(), 2, "one of each user: {refused}");
        assert_eq!(super::files(run.path()).len(), 4, "the next run tries again");
    }

    #[test]
    fn a_note_of_a_run_that_lasted_for_days_is_not_forgotten_in_a_moment() {
        let run = run();
        age(&file(run.path(), "postgres", "a"), 3 * FORGOTTEN);

        remove_all(run.path()).unwrap_err();

        assert!(file(run.path(), "postgres", "a").exists());
    }

    #[test]
    fn a_note_is_remembered_while_somebody_deletes_one_file_after_the_other() {
        let run = run();
        let (mut copy, now) = (Copy::default(), Instant::now());
        copy.refresh(run.path(), now);

        std::fs::remove_file(file(run.path(), "postgres", "a")).unwrap();
        copy.refresh(run.path(), now);
        copy.refresh(run.path(), now + REMEMBERED / 2);

        assert!(copy.notes["postgres.a"].text.starts_with("external"));
        copy.refresh(run.path(), now + REMEMBERED);
        assert!(copy.notes.is_empty(), "its thing was removed long ago");
    }

    #[test]
    fn notes_whose_directory_was_deleted_are_remembered_for_good() {
        let run = run();
        let (mut copy, now) = (Copy::default(), Instant::now());
        copy.refresh(run.path(), now);

        std::fs::remove_dir_all(dir(run.path())).unwrap();
        copy.refresh(run.path(), now);
        copy.refresh(run.path(), now + 2 * REMEMBERED);

        assert_eq!(copy.notes.len(), 1);
    }

    /// An engine that gave the port to another program, or a server that lets nobody in any more.
    #[test]
    fn a_server_that_answers_and_lets_nobody_in_is_forgotten_after_a_day_too() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir(run.path())).unwrap();
        let server =
            format!("external 150000 postgres://u:p@{}/postgres", other.local_addr().unwrap());
        note(run.path(), "postgres", "a", &server).unwrap();
        std::thread::spawn(move || other.incoming().for_each(drop));

        remove_all(run.path()).unwrap_err();

        assert!(away(run.path(), "postgres.a").exists());
    }

    #[test]
    fn a_note_that_is_changed_is_whole_at_every_moment() {
        let run = run();
        let file = file(run.path(), "postgres", "a");

        std::thread::scope(|scope| {
            let changes = scope.spawn(|| {
                for _ in 0..300 {
                    note(run.path(), "postgres", "a", "external 150000 postgres://h failed")
                        .unwrap();
                }
            });
            while !changes.is_finished() {
                assert_ne!(std::fs::read_to_string(&file).unwrap(), "");
            }
        });
    }
}
