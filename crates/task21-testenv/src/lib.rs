#![doc = "[before]: ../task20_snapshot/index.html\n[next]: ../task28_reuse/index.html\n"]
// on a page of rustdoc's, lessons are such pages; the first definition of a link counts
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
