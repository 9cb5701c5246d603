//! Which tests of this process panicked. A guard that is dropped while its test panics knows that;
//! a note, which no test holds, does not.

use std::collections::HashSet;
use std::sync::{Mutex, Once, PoisonError};

static PANICKED: Mutex<Option<HashSet<String>>> = Mutex::new(None);

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
                panicked.get_or_insert_default().insert(name.to_owned());
            }
            before(info);
        }));
    });
}

pub(super) fn of(test: &str) -> bool {
    let panicked = PANICKED.lock().unwrap_or_else(PoisonError::into_inner);
    panicked.as_ref().is_some_and(|panicked| panicked.contains(test))
}
