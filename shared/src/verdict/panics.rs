//! Which tests of this process panicked. A guard that is dropped while its test panics knows that;
//! a note, which no test holds, does not.

use std::collections::HashMap;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Instant;

static PANICKED: Mutex<Option<HashMap<String, Instant>>> = Mutex::new(None);

/// Takes down the tests that panic from now on. Whatever printed the panic before prints it still.
pub(super) fn hear() {
    static ONCE: Once = Once::new();
    if std::thread::panicking() {
        return; // the hook cannot be set now; the next test tries again
    }
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // libtest names a test's thread after it. Nothing here may panic: that would abort.
            if let Some(name) = std::thread::current().name() {
                let mut panicked = PANICKED.lock().unwrap_or_else(PoisonError::into_inner);
                panicked.get_or_insert_default().insert(name.to_owned(), Instant::now());
            }
            before(info);
        }));
    });
}

/// When the test panicked last.
pub(super) fn at(test: &str) -> Option<Instant> {
    let panicked = PANICKED.lock().unwrap_or_else(PoisonError::into_inner);
    panicked.as_ref()?.get(test).copied()
}
