#![doc = "[before]: ../task19_fake_clock/index.html\n[next]: ../task21_testenv/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// A snapshot needs a real server: without the feature, this crate is empty.
#[cfg(feature = "integration")]
mod shop;
#[cfg(feature = "integration")]
mod faults;

#[cfg(feature = "integration")]
pub use shop::{SEED, SNAPSHOT, Shop, fill, restore, take};
