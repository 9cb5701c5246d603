//! Your tests. The README lists the requirements; `cargo course check task25` says which wrong programs get past them.

use task25_report::parse;

#[test]
fn a_file_with_one_test_can_be_read() {
    let xml = r#"<testsuites time="1.000">
        <testsuite name="shop::it"><testcase name="it_starts" time="1.000"/></testsuite>
    </testsuites>"#;

    let run = parse(xml).unwrap();

    assert_eq!(run.tests.len(), 1);
}

// One test, which passed: most mistakes in a report need two.
//
// Still to be tested:
//   R1   each <testcase> is one test, with its suite and its name; nothing else is a test
//   R2   a test without a time, or skipped, counts in no statistic of times
//   R3   <failure> and <error>, flaky and rerun: outcomes and retries
//   R4   median and P95: an even number, equal times, 10, 20 and 100 tests
//   R5   parallelism, and when it is not known
//   R6   the ten slowest
//   R7   a run without tests
//   R8   a file that was cut, an empty file, another file
//   R9   slower(kept, now): the last five, their median, without this run
//   R10  page(report): a name with `<` and `&`
//   R11  text(report) and page(report): a name with a control character
