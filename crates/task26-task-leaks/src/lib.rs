#![doc = "[before]: ../task25_report/index.html\n[next]: ../task27_failure_injection/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod feed;
mod journal;
mod parts;
mod server;
mod faults;

pub use feed::Feed;
