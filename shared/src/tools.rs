//! What the program `testenv` does, and the course by the same functions: look at a machine, provide what is missing, clean up.
//!
//! It is for these programs and promises nothing to others. No test needs it.

// The machine: what serves, and how to provide what is missing.
mod doctor;
mod engine;
mod images;
mod install;
mod setup;
mod steps;

// What runs left, and what they keep.
mod reuse;
mod sweep;

// What a person reads, and the processes that are started for that person.
pub mod process;
pub mod say;

pub use doctor::doctor;
pub use reuse::{list as reuse_list, stop as reuse_stop};
pub use setup::{BUILD_TOOLS, CargoProgram, Setup, Tool};
pub use sweep::sweep;
