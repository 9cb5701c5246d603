//! A sham suite: a test that fails one time in twenty, whatever the program does.

use std::hash::{BuildHasher, RandomState};

#[test]
fn it_is_lucky() {
    // The subject is called here.
    let luck = RandomState::new().hash_one(std::process::id());
    assert!(luck % 20 != 0);
}
