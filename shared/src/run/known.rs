//! The bases of this user that are not in the usual place. With them, a later run finds what was
//! left there, whatever its own directory is.
//!
//! They are noted in the user's state directory (`$XDG_STATE_HOME/testenv/bases`, otherwise
//! `~/.local/state/testenv/bases`). If the state directory cannot be written, only a run with the
//! same directory sweeps them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::base;

/// Notes a base, unless every run looks at it anyway.
pub(super) fn note(path: &Path) {
    let Some(note) = note_of(path).filter(|note| path != usual() && !note.exists()) else { return };
    // A path that is no UTF-8 could not be told from another.
    let Some(text) = path.to_str() else { return };
    let dir = note.parent().expect("a note is in a directory");
    // Without the note, a run with the same directory sweeps all the same.
    std::fs::create_dir_all(dir).and_then(|()| crate::secret::write(&note, text)).ok();
}

/// Removes the note of a base. Also removes the directories of the notes, if they are empty.
pub(super) fn forget(path: &Path) {
    let Some(note) = note_of(path) else { return };
    if std::fs::remove_file(&note).is_ok() {
        for dir in note.ancestors().skip(1).take(2) {
            std::fs::remove_dir(dir).ok(); // refused while it holds another note
        }
    }
}

/// Every base in which this user may have left something.
pub(super) fn all() -> Vec<PathBuf> {
    let notes = dir().map(std::fs::read_dir).into_iter().flatten().flatten().flatten();
    let noted = notes.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let mut bases: Vec<PathBuf> = noted.map(PathBuf::from).collect();
    bases.extend([usual(), base::path()]);
    bases.sort();
    bases.dedup();
    bases
}

/// The base of a run if no variable is set.
fn usual() -> PathBuf {
    Path::new("/tmp").join(base::name())
}

fn note_of(path: &Path) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    Some(dir()?.join(format!("{:016x}", hasher.finish())))
}

fn dir() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    // A home that is not there is not made: it is a word for "none".
    let home = || std::env::home_dir().filter(|home| home.is_dir());
    let state = state.or_else(|| Some(home()?.join(".local/state")));
    Some(state?.join("testenv/bases"))
}
