#![doc = "[before]: ../task28_reuse/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use testenv::Error;

mod scan;
mod specimen;
mod tools;

pub use scan::{Constant, Example, Function, Outcome};
pub use tools::{FirstTest, Harness};

/// The manual of the small harness `scratch`, with the harness. Dropping it removes the files.
///
/// Its methods use the tools that a reader would use: `rustc`, `rustdoc`, a test program.
#[derive(Debug)]
#[must_use]
pub struct Manual {
    files: TempDir,
    pages: Vec<Page>,
}

/// A file with a part of the manual.
#[derive(Debug)]
struct Page {
    name: &'static str,
    text: String,
}

impl Manual {
    /// Returns the manual to be judged.
    ///
    /// # Panics
    ///
    /// If there is no temporary directory. The message lists the attempts and the cure.
    pub fn open() -> Manual {
        opened().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs rustdoc with these flags and returns its warnings and errors, a line each.
    ///
    /// For example `scratch.rs:43:1: warning: missing documentation for a method`.
    ///
    /// # Panics
    ///
    /// If there is no rustdoc, or it does not know a flag.
    pub fn rustdoc(&self, flags: &[&str]) -> Vec<String> {
        tools::warnings(self.dir(), flags).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs all examples and returns every fenced block of the manual, with its outcome.
    ///
    /// # Panics
    ///
    /// If there is no compiler or no rustdoc, or they cannot read the manual.
    pub fn examples(&self) -> Vec<Example> {
        let outcomes = tools::outcomes(self.dir()).unwrap_or_else(|error| panic!("{error}"));
        let blocks = self.pages.iter().flat_map(|page| scan::blocks(page.name, &page.text));
        let judged = blocks.map(|block| {
            let outcome = outcomes.get(&block.at).copied().unwrap_or(Outcome::NotCode);
            Example { outcome, ..block }
        });
        judged.collect()
    }

    /// Returns the functions and methods that a reader finds in the manual.
    pub fn functions(&self) -> Vec<Function> {
        self.pages.iter().flat_map(|page| scan::functions(&page.text)).collect()
    }

    /// Returns the constants that a reader finds in the manual.
    pub fn constants(&self) -> Vec<Constant> {
        self.pages.iter().flat_map(|page| scan::constants(&page.text)).collect()
    }

    /// Runs `code` as the tests of a fresh crate that has `scratch` and nothing else.
    ///
    /// # Panics
    ///
    /// If there is no compiler, or the compiled test cannot be started.
    pub fn first_test(&self, code: &str, on: Harness) -> FirstTest {
        tools::first_test(self.dir(), code, on).unwrap_or_else(|error| panic!("{error}"))
    }

    fn dir(&self) -> &Path {
        self.files.path()
    }
}

fn opened() -> Result<Manual, Error> {
    let unwritten = |cause| {
        Error::new("the files of the manual were not written")
            .cause(cause)
            .fix("TMPDIR=<a directory with room> cargo test")
    };
    let files = tempfile::tempdir().map_err(unwritten)?;
    let specimen = specimen::selected();
    let front = specimen.front.map(|text| Page { name: "front.md", text });
    let pages: Vec<Page> =
        front.into_iter().chain([Page { name: "scratch.rs", text: specimen.source }]).collect();
    for page in &pages {
        fs::write(files.path().join(page.name), &page.text).map_err(unwritten)?;
    }
    Ok(Manual { files, pages })
}
