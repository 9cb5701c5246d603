//! A specimen for `cargo course shard --speed-up`: a suite that computes, and keeps a core busy.
#![cfg(feature = "specimen")]

use std::hint::black_box;

/// About a second in a debug build.
const STEPS: u64 = 200_000_000;

macro_rules! computes {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            let mut sum: u64 = 0;
            for step in 0..black_box(STEPS) {
                sum = sum.wrapping_add(step);
            }

            assert_eq!(sum, STEPS * (STEPS - 1) / 2);
        }
    )* };
}

// Of these names, the hash puts 12 into each of two shards.
computes! {
    budgets coupons customers delivery discounts gifts invoices labels orders payments prices
    products ratings refunds returns reviews search shelves stock suppliers taxes users
    vouchers warehouse
}
