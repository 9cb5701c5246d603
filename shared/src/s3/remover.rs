//! Removes buckets on a thread, so that no test waits for it.
//!
//! What is not removed when the process ends is removed with the run: with its server, or as noted.

use std::sync::{OnceLock, mpsc};

use super::real::Home;

/// Removes a bucket. Returns at once.
pub(super) fn remove(home: &'static Home, name: &str) {
    static ORDERS: OnceLock<mpsc::Sender<String>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (orders, taken) = mpsc::channel();
        let serve = move || serve(home, &taken);
        std::thread::Builder::new().name("testenv-buckets".into()).spawn(serve).ok(); // else the end of the run removes them
        orders
    });
    orders.send(name.to_owned()).ok(); // nobody takes it: the end of the run does
}

fn serve(home: &Home, taken: &mpsc::Receiver<String>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    let client = home.remover();
    for name in taken {
        runtime.block_on(home.remove(&client, &name));
    }
}
