#![doc = "[before]: ../task23_quarantine/index.html\n[next]: ../task25_report/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// The project with its documents, and what is true of it.
mod facts;
mod project;
pub use facts::{Failure, Setting, Tier, Tool};
pub use project::{Outcome, Project, project};

// A document as its reader meets it.
mod document;
pub use document::{Document, Link, Section};

// The project's files: the right ones, and the ones that `COURSE_FAULT` asks for.
mod edits;
mod specimen;
mod variants;
