#![doc = "[before]: ../task26_task_leaks/index.html\n[next]: ../task28_reuse/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// Nothing stands in for PostgreSQL: without the feature, this crate is empty.
#[cfg(feature = "integration")]
mod orders;
#[cfg(feature = "integration")]
mod outcome;
#[cfg(feature = "integration")]
mod faults;

#[cfg(feature = "integration")]
pub use orders::{Orders, Policy};
#[cfg(feature = "integration")]
pub use outcome::Failure;
