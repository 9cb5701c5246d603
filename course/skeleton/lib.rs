#![doc = "[before]: ../{before_library}/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

use testenv::fault;

/// The value, but not more than `most`.
pub fn limit(value: u32, most: u32) -> u32 {
    if fault!("no-limit") {
        return value;
    }
    if fault!("greatest-refused") && value == most {
        return most.saturating_sub(1);
    }
    value.min(most)
}
