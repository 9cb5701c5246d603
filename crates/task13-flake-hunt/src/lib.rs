#![doc = "[before]: ../task12_seeds/index.html\n[next]: ../task14_shard/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![expect(clippy::duplicate_mod, reason = "one source on two kinds of locks has the same races")]

// The tool: runs a body under many schedules.
mod explore;
pub use explore::{Race, explore, replay};

// The subject, twice: one source, with two kinds of locks and threads.
pub mod explored;
pub mod real;
