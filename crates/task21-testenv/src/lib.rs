// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// What a harness is built on, counted.
#[cfg(feature = "integration")]
mod lab;
#[cfg(feature = "integration")]
pub use lab::{Lab, Server};

// What a harness is, and the one of somebody else.
#[cfg(feature = "integration")]
mod harness;
#[cfg(feature = "integration")]
pub use harness::Harness;
#[cfg(feature = "integration")]
mod theirs;
#[cfg(feature = "integration")]
pub use theirs::{TheirDb, Theirs};
