#![doc = "[before]: ../task22_ci_shard/index.html\n[next]: ../task24_documentation/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// The file, `quarantine.toml`.
mod entries;
pub use entries::{Date, Entry, Malformed, read};

// What the gate says of it.
mod gate;
pub use gate::{Known, Problem, blocking, check};

// What the runs of the quarantined tests say.
mod runs;
pub use runs::{Outcome, Ran, Row, rows};
