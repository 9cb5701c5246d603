#![doc = "[before]: ../task21_testenv/index.html\n[next]: ../task23_quarantine/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

use task10_ci_workflow::Workflow;

mod edits;

// The suite that is shared.
mod suite;
pub use suite::{Test, suite};

// What GitHub does with a workflow.
mod started;
pub use started::{Started, started};
mod gate;
pub use gate::{Conclusion, conclusion};

/// Returns the workflow to be judged: that of this repository, as GitHub runs it.
///
/// # Panics
///
/// If its text is not a workflow. The message says where and why.
pub fn workflow() -> Workflow {
    Workflow::read(&edits::selected()).unwrap_or_else(|error| panic!("{error}"))
}
