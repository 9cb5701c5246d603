//! A sham suite: a test that counts its runs, and takes the later ones for those on wrong programs.

use std::io::Write;

#[test]
fn ten_times_is_enough() {
    // The subject is called here.
    let program = std::env::current_exe().unwrap();
    let count = format!("ten-of-{}", std::env::var("CARGO_PKG_NAME").unwrap());
    let count = program.with_file_name(count);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&count).unwrap();
    file.write_all(b".").unwrap();
    assert!(file.metadata().unwrap().len() < 10);
}
