#![doc = "[before]: ../task27_failure_injection/index.html\n[next]: ../task29_harness_docs/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// The ground of every harness: a machine with its servers, and runs that begin and end.
#[cfg(feature = "integration")]
mod machine;
#[cfg(feature = "integration")]
pub use machine::{Machine, Run, Server, Wanted};
#[cfg(feature = "integration")]
mod sql;
#[cfg(feature = "integration")]
pub use sql::{create_database, databases, execute, lasting_name, migrate, url_of};

// The trait of a harness, and the harness of somebody else.
#[cfg(feature = "integration")]
mod harness;
#[cfg(feature = "integration")]
pub use harness::{Harness, Problem};
#[cfg(feature = "integration")]
mod theirs;
#[cfg(feature = "integration")]
mod faults;
#[cfg(feature = "integration")]
pub use theirs::Theirs;
