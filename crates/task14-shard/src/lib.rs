#![doc = "[before]: ../task13_flake_hunt/index.html\n[next]: ../task15_shared_broker/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// What a shard is.
mod shard;

// The two ways to split.
mod hash;
mod balance;

// How long everything took last time.
mod report;

mod faults;

pub use balance::{Timings, balance};
pub use hash::{shard_of, split};
pub use report::{UnreadableReport, package_timings};
pub use shard::{Shard, ShardError};
