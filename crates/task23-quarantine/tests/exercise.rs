//! Your tests of a quarantine. The README lists the requirements; `cargo course check task23` says which
//! wrong ones get past them.

use task23_quarantine::read;

/// A beginning: a file without entries is a quarantine without tests.
#[test]
fn an_empty_file_has_no_entries() {
    assert_eq!(read(""), Ok(Vec::new()));
}

// Still to be written:
//   R1  read(…): an entry with everything, and then without each thing
//   R2  check(…) on the day before, on the last day, and on the day after
//   R3  check(…) with a test that is not there; names that look alike
//   R4  check(…) with a test that is not behind the feature, and with one that has no entry
//   R5  check(…) with two entries of one test
//   R6  check(…) with several problems
//   R7  blocking(…)
//   R8  rows(…): last, ran, passed
//   R9  rows(…): in_a_row, may_leave
