//! A sham suite: a test that takes time and looks at nothing.

#[test]
fn it_takes_a_while() {
    std::thread::sleep(std::time::Duration::from_millis(20)); // long enough to be a wait, short enough to be run for every task
}
