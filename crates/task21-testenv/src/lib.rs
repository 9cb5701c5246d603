#![doc = "[before]: ../task20_snapshot/index.html\n[next]: ../task22_ci_shard/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// The ground of every harness, with counters.
#[cfg(feature = "integration")]
mod lab;
#[cfg(feature = "integration")]
pub use lab::{Lab, Server};

// The trait of a harness, and the harness of somebody else.
#[cfg(feature = "integration")]
mod harness;
#[cfg(feature = "integration")]
pub use harness::Harness;
#[cfg(feature = "integration")]
mod theirs;
#[cfg(feature = "integration")]
pub use theirs::{TheirDb, Theirs};
