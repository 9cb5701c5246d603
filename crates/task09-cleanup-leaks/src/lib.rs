#![doc = "[before]: ../task08_seed_data/index.html\n[next]: ../task10_ci_workflow/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// The resources that a suite creates outside its process, and their place.
mod lab;
pub use lab::{Kind, Thing, remove, things};

// The suites that a learner's check judges. Each suite runs in its own process.
mod run;
mod suite;
mod specimen;
pub use run::{End, Ran, leak, run};
#[doc(hidden)]
pub use suite::main as suite_main;
