//! A file, and how a call fails.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io;

use aws_sdk_s3::error::{BoxError, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;

/// What is said of a file's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// What the bytes are: `text/csv; charset=utf-8`.
    pub content_type: String,
    /// Values by their names. A name has lower-case ASCII letters, digits and hyphens. A value has
    /// printable ASCII characters, without a space at either end.
    pub metadata: HashMap<String, String>,
}

impl Head {
    /// Returns a head without metadata.
    pub fn new(content_type: &str) -> Head {
        Head { content_type: content_type.to_owned(), metadata: HashMap::new() }
    }

    /// Adds a value to the metadata.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Head {
        self.metadata.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// A file, as [`Files::get`](crate::Files::get) returns it.
///
/// Its `Debug` shows the number of bytes and the first ones: a failed `assert_eq!` of two large
/// files would print tens of megabytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct File {
    /// What is said of the bytes.
    pub head: Head,
    /// The content.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { content_type, metadata } = &self.head;
        let first = self.bytes[..self.bytes.len().min(16)].escape_ascii();
        write!(f, "File({content_type}, {metadata:?}, {} bytes: {first} …)", self.bytes.len())
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The bucket has no file with this key.
    #[error("no file has this key")]
    NotFound,
    /// The source of a file failed before its end.
    #[error("the source of the file failed: {0}")]
    Source(io::Error),
    /// The store refused the request, or did not answer. The bucket may be missing, or the rights.
    #[error("the store failed: {}", Chain(&**.0))]
    Store(BoxError),
}

impl Failure {
    pub(crate) fn store(error: impl Into<BoxError>) -> Failure {
        Failure::Store(error.into())
    }

    /// A missing bucket has the status 404 too, so the type decides and not the status.
    pub(crate) fn of_get(error: SdkError<GetObjectError>) -> Failure {
        match error.as_service_error() {
            Some(GetObjectError::NoSuchKey(_)) => Failure::NotFound,
            _ => Failure::store(error),
        }
    }
}

/// An error with its causes. The SDK's own text for most failures is `service error`.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut causes = std::iter::successors(self.0.source(), |&cause| cause.source());
        causes.try_for_each(|cause| write!(f, ": {cause}"))
    }
}
