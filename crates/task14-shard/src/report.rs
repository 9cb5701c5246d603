//! Reads how long each package took from the `JUnit` file of a run.
//!
//! The reader of the file is `quick-junit`, by the authors of nextest, which writes it.

use std::time::Duration;

use quick_junit::Report;

use crate::Timings;

/// The text is no `JUnit` report. The text of the error says where reading stopped.
#[derive(Debug, thiserror::Error)]
#[error("this is no JUnit report: {0}")]
pub struct UnreadableReport(#[from] quick_junit::DeserializeError);

/// Returns how long the tests of each package took, all together, in a report of nextest.
///
/// nextest names a suite after its test program: `package`, `package::target` or
/// `package::bin/name`. A package that ran no test is not in the report.
///
/// # Errors
///
/// If the text is no `JUnit` report.
pub fn package_timings(junit: &str) -> Result<Timings, UnreadableReport> {
    let mut timings = Timings::new();
    for suite in Report::deserialize_from_str(junit)?.test_suites {
        let name = suite.name.as_str();
        let package = name.split_once("::").map_or(name, |(package, _)| package);
        let took: &mut Duration = timings.entry(package.to_owned()).or_default();
        for test in suite.test_cases {
            *took = took.saturating_add(test.time.unwrap_or_default());
        }
    }
    Ok(timings)
}

#[cfg(test)]
mod tests {
    use super::package_timings;
    use std::time::Duration;

    const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="4" failures="1" errors="0" time="1.6">
    <testsuite name="shop" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="tests::adds" classname="shop" time="0.100"/>
    </testsuite>
    <testsuite name="shop::it" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="sells" classname="shop::it" time="1.000"/>
        <testcase name="refunds" classname="shop::it" time="0.250">
            <failure type="test failure">no</failure>
        </testcase>
    </testsuite>
    <testsuite name="till::bin/till" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="opens" classname="till::bin/till"/>
    </testsuite>
</testsuites>"#;

    #[test]
    fn a_package_took_what_its_tests_took() {
        let timings = package_timings(REPORT).unwrap();

        let expected = [("shop", Duration::from_millis(1350)), ("till", Duration::ZERO)];
        assert_eq!(timings, expected.map(|(name, time)| (name.to_owned(), time)).into());
    }

    #[test]
    fn another_file_is_refused() {
        for text in ["", "no xml", "<html></html>"] {
            let error = package_timings(text).unwrap_err().to_string();
            assert!(error.starts_with("this is no JUnit report: "), "{text}: {error}");
        }
    }
}
