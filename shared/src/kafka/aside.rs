//! A client of the library whose end nobody waits for.

use std::mem::ManuallyDrop;
use std::ops::Deref;

/// Drops the client on a thread of its own. The client joins its threads, and a consumer closes
/// itself first: each takes a tenth of a second.
pub(super) struct Aside<T: Send + 'static>(Option<T>);

impl<T: Send> Aside<T> {
    pub(super) fn new(client: T) -> Aside<T> {
        Aside(Some(client))
    }
}

impl<T: Send> Deref for Aside<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("only drop takes it")
    }
}

impl<T: Send> Drop for Aside<T> {
    fn drop(&mut self) {
        // Without a thread it ends with the process.
        let client = ManuallyDrop::new(self.0.take());
        let end = move || drop(ManuallyDrop::into_inner(client));
        std::thread::Builder::new().name("testenv-client".into()).spawn(end).ok();
    }
}
