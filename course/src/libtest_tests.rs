//! Outputs of real test processes, from `rustc` 1.91 and 1.95.

use super::{Report, Summary, listed, panic_line};

const MIXED: &str = r#"
running 7 tests
test err ... FAILED
test ign ... ignored, later
test fails ... FAILED
test ok_one ... ok
test sp - should panic ... FAILED
test m::thr ... FAILED
test sp2 - should panic ... FAILED

failures:

---- err stdout ----
Error: "bad"

---- fails stdout ----
hello
---- ok_one stdout ----
test ok_one ... FAILED

thread 'fails' (22756) panicked at a.rs:2:41:
assertion `left == right` failed: why
lines
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

---- sp stdout ----
note: test did not panic as expected at a.rs:4:28
---- m::thr stdout ----

thread '<unnamed>' (22758) panicked at src/lib.rs:7:50:
in thread

thread 'm::thr' (22757) panicked at a.rs:7:78:
called `Result::unwrap()` on an `Err` value: Any { .. }

---- sp2 stdout ----

thread 'sp2' (22761) panicked at src/lib.rs:5:50:
y
note: panic did not contain expected string
      panic message: "y"
 expected substring: "x"

failures:
    err
    fails
    m::thr
    sp
    sp2

test result: FAILED. 1 passed; 5 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s

"#;

fn files(report: &Report) -> Vec<(&str, Option<&str>)> {
    report.failures.iter().map(|failure| (failure.test.as_str(), failure.file())).collect()
}

#[test]
fn every_failure_has_its_test_and_the_file_of_its_panic() {
    let report = Report::read(MIXED);

    assert_eq!(
        files(&report),
        [
            ("err", None),
            ("fails", Some("a.rs")),
            ("sp", Some("a.rs")),
            ("m::thr", Some("a.rs")),
            ("sp2", Some("src/lib.rs"))
        ]
    );
    assert_eq!(report.summary, Some(Summary { passed: 1, failed: 5, ignored: 1 }));
}

#[test]
fn what_a_test_prints_does_not_make_a_failure_of_another() {
    let report = Report::read(MIXED);

    assert!(report.failures[1].output.contains("---- ok_one stdout ----"));
}

#[test]
fn a_panic_line_is_read_with_and_without_the_thread_id() {
    let place = "crates/task07 kafka/tests/exercise.rs:12:5";
    assert_eq!(panic_line(&format!("thread 'a' panicked at {place}:")), Some(("a", place)));
    assert_eq!(panic_line(&format!("thread 'a' (17) panicked at {place}:")), Some(("a", place)));
    assert_eq!(panic_line("thread 'a' has overflowed its stack"), None);
}

#[test]
fn a_process_that_ends_early_has_no_summary() {
    let report = Report::read("\nrunning 2 tests\ntest a ... ok\ntest b ... ");

    assert_eq!(report.summary, None);
    assert_eq!(report.unfinished(&["a".into(), "b".into()]), ["b"]);
}

#[test]
fn a_list_has_tests_only() {
    assert_eq!(listed("a: test\nm::b: test\nc: bench\n"), ["a", "m::b"]);
}
