//! A specimen for `cargo course shard --speed-up`: a suite that waits, as tests of servers do.
#![cfg(feature = "specimen")]

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// Long compared with what it costs to start a runner and its processes.
const ANSWER: Duration = Duration::from_secs(4);

macro_rules! waits {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            let (_silent, answer) = mpsc::channel::<()>();

            assert_eq!(answer.recv_timeout(ANSWER), Err(RecvTimeoutError::Timeout));
        }
    )* };
}

// Of these names, the hash puts 12 into each of two shards.
waits! {
    budgets coupons customers delivery discounts gifts invoices labels orders payments prices
    products ratings refunds returns reviews search shelves stock suppliers taxes users
    vouchers warehouse
}
