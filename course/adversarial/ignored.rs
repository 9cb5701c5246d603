//! A sham suite: a test that never runs.

#[test]
#[ignore = "would fail"]
fn it_would_catch_everything() {
    panic!("caught, whatever it was");
}
