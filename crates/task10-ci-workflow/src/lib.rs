#![doc = "[before]: ../task09_cleanup_leaks/index.html\n[next]: ../task11_factories/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod edits;
mod read;

pub use read::{Job, NotAWorkflow, Step, Workflow};

/// Returns the workflow to be judged: that of this repository, as GitHub runs it.
///
/// # Panics
///
/// If its text is not a workflow. The message says where and why.
pub fn workflow() -> Workflow {
    Workflow::read(&edits::selected()).unwrap_or_else(|error| panic!("{error}"))
}
