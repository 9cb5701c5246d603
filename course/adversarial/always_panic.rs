//! A sham suite: a test that fails whatever the program does, at a line of its own file.

#[test]
fn nothing_is_fine() {
    panic!("caught, whatever it was");
}
