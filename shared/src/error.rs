//! What the environment did to a test, said once, with the cure.
//!
//! Invariant: an error that reaches a user names what was tried, the cause, and the command that
//! cures it.

use std::fmt;

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
}

impl Error {
    /// Says in a few words what was not available or could not be done.
    pub fn new(what: impl Into<String>) -> Error {
        Error { what: what.into(), tried: Vec::new(), cause: None, fixes: Vec::new() }
    }

    /// Adds one thing that was tried, and how it ended.
    pub fn tried(mut self, way: impl Into<String>) -> Error {
        self.tried.push(way.into());
        self
    }

    /// Names the cause, in the words of whoever refused.
    pub fn cause(mut self, cause: impl fmt::Display) -> Error {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds a command or a setting that cures the problem.
    pub fn fix(mut self, command: impl Into<String>) -> Error {
        self.fixes.push(command.into());
        self
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
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
