//! The ticket office on the locks and threads of shuttle.
//!
//! Use it only in the body of [`explore`](crate::explore) or [`replay`](crate::replay), together
//! with [`shuttle::thread`].

mod sync {
    pub(super) use shuttle::sync::atomic::AtomicUsize;
    pub(super) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub(super) use shuttle::thread::yield_now;
}

#[path = "faults.rs"]
mod faults;
#[path = "office.rs"]
mod office;

pub use office::{Office, Report};
