//! A sham suite: a test that passes and fails in turns, so that a fault is followed by a right program.

use std::io::Write;

#[test]
fn odd_is_right() {
    // The subject is called here.
    let program = std::env::current_exe().unwrap();
    let count = format!("odd-of-{}", std::env::var("CARGO_PKG_NAME").unwrap());
    let count = program.with_file_name(count);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&count).unwrap();
    file.write_all(b".").unwrap();
    let runs = file.metadata().unwrap().len();
    // The first three are on the right program.
    assert!(runs < 4 || runs % 2 == 1);
}
