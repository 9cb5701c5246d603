//! A folder for every test, gone when the test ends.
//!
//! Ask with [`fresh_dir`], or with [`fresh_file!`] for a folder with a file in it. [`Dir::keep`] is for looking at what a test left.
//!
//! # First test
//!
//! In `tests/first.rs` of a crate that has `scratch` among its dev-dependencies:
//!
//! ```
//! #[test]
//! fn what_one_test_writes_no_other_test_sees() {
//!     let (mine, yours) = (scratch::fresh_dir(), scratch::fresh_dir());
//!
//!     mine.write("note", "hello").unwrap();
//!
//!     assert_eq!(mine.read("note").unwrap(), "hello");
//!     assert!(yours.read("note").is_err());
//! }
//! ```
//!
//! It prints:
//!
//! ```text
//! test what_one_test_writes_no_other_test_sees ... ok
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most that a file can hold: 4096 bytes.
///
/// ```
/// let long = "x".repeat(scratch::ROOM + 1);
/// assert!(scratch::fresh_dir().write("long", &long).is_err());
/// ```
pub const ROOM: usize = 4096;

/// A folder of a test's own.
///
/// Dropping it removes the folder with all that is in it.
///
/// ```
/// let path = scratch::fresh_dir().path().to_owned();
/// assert!(!path.exists());
/// ```
#[derive(Debug)]
#[must_use]
pub struct Dir {
    path: PathBuf,
    is_kept: bool,
}

/// A folder that outlives its test; see [`Dir::keep`].
#[derive(Debug)]
pub struct Kept {
    /// Where it is.
    pub path: PathBuf,
}

/// Returns an empty folder that no other test has.
///
/// # Panics
///
/// If no folder can be made below the temporary directory.
pub fn fresh_dir() -> Dir {
    let path = std::env::temp_dir().join(unique());
    std::fs::create_dir_all(&path).expect("the temporary directory can be written");
    Dir { path, is_kept: false }
}

impl Dir {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of at most 4096 bytes, which is [`ROOM`].
    ///
    /// ```
    /// let dir = scratch::fresh_dir();
    /// dir.write("note", "hello")?;
    /// assert_eq!(dir.read("note")?, "hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is too long, or the disk is full.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        if text.len() > ROOM {
            return Err(io::Error::other("the text is too long"));
        }
        std::fs::write(self.path.join(name), text)
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When there is no such file.
    pub fn read(&self, name: &str) -> io::Result<String> {
        std::fs::read_to_string(self.path.join(name))
    }

    /// Leaves the folder there when the test has ended.
    ///
    /// ```
    /// let kept = scratch::fresh_dir().keep();
    /// assert!(kept.path.exists());
    /// std::fs::remove_dir_all(kept.path).unwrap();
    /// ```
    pub fn keep(mut self) -> Kept {
        self.is_kept = true;
        Kept { path: self.path.clone() }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !self.is_kept {
            let _gone = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Returns a fresh folder with one file in it.
///
/// ```
/// let dir = scratch::fresh_file!("note", "hello");
/// assert_eq!(dir.read("note").unwrap(), "hello");
/// ```
#[macro_export]
macro_rules! fresh_file {
    ($name:literal, $text:expr) => {{
        let dir = $crate::fresh_dir();
        dir.write($name, $text).expect("a short file can be written");
        dir
    }};
}

/// A name that no other folder has, unless the harness was broken on purpose.
fn unique() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = if cfg!(broken) { 0 } else { COUNT.fetch_add(1, Ordering::Relaxed) };
    format!("scratch-{}-{count}", std::process::id())
}
