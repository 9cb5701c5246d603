//! A sham suite: a test that passes whatever the program does.

#[test]
fn everything_is_fine() {
    assert!(true);
}
