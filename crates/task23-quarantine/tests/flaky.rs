//! A test that fails now and then, so that the workspace has one in quarantine. `.config/quarantine.toml` has its entry.
#![cfg(feature = "flaky")]

use testenv::seed::rand::RngExt;

/// Three of four values are. The command that repeats a failure has its seed.
#[test]
fn a_value_is_small() {
    let value = testenv::seed::stream().random_range(0..4);

    assert!(value < 3, "{value}");
}
