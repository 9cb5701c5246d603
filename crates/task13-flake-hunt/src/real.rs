//! The ticket office on the threads of the operating system.
//!
//! The source is the same as that of [`explored`](crate::explored). Only the locks and threads differ.

mod sync {
    pub(super) use std::sync::atomic::AtomicUsize;
    pub(super) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub(super) use std::thread::yield_now;
}

#[path = "faults.rs"]
mod faults;
#[path = "office.rs"]
mod office;

pub use office::{Office, Report};
