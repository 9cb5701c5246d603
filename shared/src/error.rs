//! What the environment did to a test, said once, with the cure.
//!
//! Invariant: an error that reaches a user names what was tried, the cause, and the command that
//! cures it.

mod asked;
mod heading;

use std::fmt;

pub use heading::Heading;

/// What stands before the link to the manual.
const MORE: &str = "\n  more: ";

/// A failure of the environment, not of the code under test: for example, a server that cannot be
/// started, or a directory that cannot be written.
///
/// `Debug` prints the same text as `Display`, so `unwrap()` in a test shows the whole text.
///
/// ```
/// let error = testenv::Error::new("no Kafka broker")
///     .tried("TESTENV_KAFKA_BROKERS: not set")
///     .cause("nothing listens on /var/run/docker.sock")
///     .fix("testenv setup --install");
/// assert_eq!(
///     error.to_string(),
///     "no Kafka broker\n  \
///      tried: TESTENV_KAFKA_BROKERS: not set\n  \
///      cause: nothing listens on /var/run/docker.sock\n  \
///      to fix: testenv setup --install",
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Error {
    what: String,
    tried: Vec<String>,
    cause: Option<String>,
    fixes: Vec<String>,
    heading: Option<Heading>,
}

impl Error {
    /// Says in a few words what was not available or could not be done.
    pub fn new(what: impl Into<String>) -> Error {
        Error {
            what: what.into(),
            tried: Vec::new(),
            cause: None,
            fixes: Vec::new(),
            heading: None,
        }
    }

    /// Like [`Error::new`], with a link to the place in the manual that says more.
    pub fn under(heading: Heading, what: impl Into<String>) -> Error {
        Error { heading: Some(heading), ..Error::new(what) }
    }

    /// An error of another process, word for word as that process told it.
    pub(crate) fn told(text: String) -> Error {
        Error::new(text)
    }

    /// Adds one thing that was tried, and how it ended.
    pub fn tried(mut self, way: impl Into<String>) -> Error {
        self.tried.push(way.into());
        self
    }

    /// Names the cause, in the words of whoever refused.
    pub fn cause(mut self, cause: impl fmt::Display) -> Error {
        // The link of an error that is itself the cause would be a second one.
        let mut text = cause.to_string();
        if let Some(at) = text.rfind(MORE) {
            text.truncate(at);
        }
        self.cause = Some(text);
        self
    }

    /// Adds a command or a setting that cures the problem.
    pub fn fix(mut self, command: impl Into<String>) -> Error {
        self.fixes.push(command.into());
        self
    }
}

/// What a call gave, or a panic at the place of the call.
#[track_caller]
pub(crate) fn expect<T>(given: Result<T, Error>) -> T {
    match given {
        Ok(given) => given,
        Err(error) => panic!("{error}"),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for way in &self.tried {
            write!(f, "\n  tried: {way}")?;
        }
        if let Some(cause) = &self.cause {
            write!(f, "\n  cause: {cause}")?;
        }
        for fix in &self.fixes {
            write!(f, "\n  to fix: {fix}")?;
        }
        match self.heading.and_then(Heading::link) {
            Some(link) => write!(f, "{MORE}{link}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
