//! The end of the process, with its status.

use std::sync::{Mutex, Once, PoisonError};

/// Called once. The status is that of the process, if the C library tells it.
type Hook = fn(Option<i32>);

static HOOKS: Mutex<Vec<Hook>> = Mutex::new(Vec::new());

/// Calls `hook` when the process returns from `main` or calls `exit`. A signal or `abort` does not
/// call it.
pub(crate) fn hear(hook: Hook) {
    static ONCE: Once = Once::new();
    ONCE.call_once(system::register);
    let mut hooks = HOOKS.lock().unwrap_or_else(PoisonError::into_inner);
    if !hooks.iter().any(|known| std::ptr::fn_addr_eq(*known, hook)) {
        hooks.push(hook);
    }
}

fn ended(status: Option<i32>) {
    let hooks = std::mem::take(&mut *HOOKS.lock().unwrap_or_else(PoisonError::into_inner));
    for hook in hooks {
        // A panic must not leave a function that C calls.
        std::panic::catch_unwind(|| hook(status)).ok(); // its message is on standard error
    }
}

/// The status is known: `on_exit`(3) is an extension of the GNU C library.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod system {
    use std::ffi::{c_int, c_void};

    #[expect(
        unsafe_code,
        reason = "the declaration is that of on_exit(3); no library has a safe one"
    )]
    unsafe extern "C" {
        safe fn on_exit(
            function: extern "C" fn(c_int, *mut c_void),
            argument: *mut c_void,
        ) -> c_int;
    }

    extern "C" fn hook(status: c_int, _: *mut c_void) {
        super::ended(Some(status));
    }

    pub(super) fn register() {
        // Refused only without memory: then what waits goes with the run.
        let _: c_int = on_exit(hook, std::ptr::null_mut());
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod system {
    #[expect(
        unsafe_code,
        reason = "the declaration is that of atexit(3); no library has a safe one"
    )]
    unsafe extern "C" {
        safe fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
    }

    extern "C" fn hook() {
        super::ended(None);
    }

    pub(super) fn register() {
        // Refused only without memory: then what waits goes with the run.
        let _: std::ffi::c_int = atexit(hook);
    }
}
