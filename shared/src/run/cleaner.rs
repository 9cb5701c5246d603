//! What services and the Docker engine give to the cleaning process of a run.
//!
//! A run knows no service. Each service, and the Docker engine, says in a [`Cleaner`] how its
//! objects are removed. [`register`] takes the list before `main`.

use std::path::Path;
use std::sync::OnceLock;

/// How one kind of object is removed, and what else the object's owner does in the cleaning
/// process.
pub(crate) struct Cleaner {
    /// The kind, as the run notes it: `<kind>.<name>`.
    pub(crate) kind: &'static str,
    /// Removes the object with a run's token, a name and the text of its note. Blocks.
    pub(crate) remove: fn(token: &str, name: &str, text: &str) -> Result<(), Refused>,
    /// Whether the objects are on servers that somebody else runs. Such a server may be gone for
    /// ever.
    pub(crate) is_external: bool,
    /// Serves a live run from its directory. Called on a thread of its own.
    pub(crate) serve: Option<fn(run: &Path)>,
    /// Returns when `serve` creates nothing any more, and never will again.
    pub(crate) stop: Option<fn()>,
    /// Removes what runs left if no note of it exists any more. Returns what became of each object.
    /// Blocks.
    pub(crate) sweep: Option<fn() -> Fates>,
    /// Called before a directory of data is removed. The directory may be another service's.
    pub(crate) release: Option<fn(data: &Path)>,
}

/// Why an object was not removed.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Nobody answers at the object's server. The server may be gone for ever.
    Unreachable(String),
    /// The object's server answers, and refuses.
    Stays(String),
}

/// What runs left, in words for the user, and what became of each.
pub(crate) type Fates = Vec<(String, Fate)>;

/// What became of something that a run left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was removed.
    Removed,
    /// It may be in use, or it may belong to somebody else.
    Left(String),
    /// Its run is over, and this program cannot remove it.
    Refused(String),
}

impl From<String> for Refused {
    fn from(why: String) -> Refused {
        Refused::Stays(why)
    }
}

impl Cleaner {
    /// A cleaner that only removes.
    pub(crate) const fn new(
        kind: &'static str,
        remove: fn(&str, &str, &str) -> Result<(), Refused>,
    ) -> Cleaner {
        Cleaner {
            kind,
            remove,
            is_external: false,
            serve: None,
            stop: None,
            sweep: None,
            release: None,
        }
    }
}

static CLEANERS: OnceLock<&'static [&'static Cleaner]> = OnceLock::new();

/// Takes the list of what this program can remove. It is called before `main`.
pub(crate) fn register(cleaners: &'static [&'static Cleaner]) {
    CLEANERS.set(cleaners).ok(); // a second list would be the same one
}

pub(super) fn all() -> &'static [&'static Cleaner] {
    CLEANERS.get().copied().unwrap_or_default()
}

pub(super) fn of(kind: &str) -> Option<&'static Cleaner> {
    all().iter().copied().find(|cleaner| cleaner.kind == kind)
}
