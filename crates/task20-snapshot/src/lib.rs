#![doc = "[before]: ../task11_factories/index.html\n[next]: ../task21_testenv/index.html\n"]
// on a page of rustdoc's, lessons are such pages; the first definition of a link counts
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// A snapshot needs a real server: without the feature, this crate is empty.
#[cfg(feature = "integration")]
mod shop;
#[cfg(feature = "integration")]
mod faults;

#[cfg(feature = "integration")]
pub use shop::{SEED, SNAPSHOT, Shop, fill, restore, take};
