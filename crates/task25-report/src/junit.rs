//! Reads a JUnit file.
//!
//! There is no standard for these files. This module reads what cargo-nextest writes and accepts files of other
//! runners as far as they go: a time that is missing or is no number is an unknown time.
//!
//! Invariant: a file that is not complete is refused. Half a file gives plausible numbers.

use std::time::Duration;

use quick_xml::Reader;
use quick_xml::escape::{resolve_xml_entity, unescape_with};
use quick_xml::events::{BytesStart, Event};

use crate::{Outcome, Run, Test, faults};

/// Why a file is no JUnit file.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It ends before its last element does.
    #[error("the file ends inside <{0}>: it was cut, or the runner is still writing it")]
    Cut(String),
    /// It is not XML.
    #[error("not XML, at byte {at}: {cause}")]
    NotXml {
        /// Where the reader stopped.
        at: u64,
        /// What the reader says.
        cause: String,
    },
    /// It is XML of another kind.
    #[error("not JUnit: the first element is <{0}>, not <testsuites> or <testsuite>")]
    NotJunit(String),
}

/// Reads a JUnit file.
///
/// # Errors
///
/// If the file is empty, was cut, is not XML, or is XML of another kind.
pub fn parse(xml: &str) -> Result<Run, Unreadable> {
    if xml.trim().is_empty() {
        return Err(Unreadable::Empty);
    }
    let mut reader = Reader::from_str(xml);
    let mut file = File::default();
    loop {
        let event = reader.read_event().map_err(|cause| match (file.open.last(), &cause) {
            // The reader met the end inside a tag or a comment.
            (Some(open), quick_xml::Error::Syntax(_)) => Unreadable::Cut(open.clone()),
            _ => not_xml(reader.error_position(), cause),
        });
        let at = reader.buffer_position();
        let bad = |cause| not_xml(at, cause);
        match event {
            Ok(Event::Start(element)) => file.begin(&element).map_err(bad)?,
            Ok(Event::Empty(element)) => {
                file.begin(&element).map_err(bad)?;
                file.end();
            }
            Ok(Event::End(_)) => file.end(),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) if faults::accepts_a_cut_file() => break,
            Err(error) => return Err(error),
        }
        if let Some(root) = file.foreign_root.take() {
            return Err(Unreadable::NotJunit(root));
        }
    }
    match file.open.pop() {
        Some(open) if !faults::accepts_a_cut_file() => Err(Unreadable::Cut(open)),
        _ if !file.has_root => {
            Err(Unreadable::NotXml { at: 0, cause: "there is no element".into() })
        }
        _ => Ok(file.done()),
    }
}

fn not_xml(at: u64, cause: impl std::fmt::Display) -> Unreadable {
    Unreadable::NotXml { at, cause: cause.to_string() }
}

/// What was read so far.
#[derive(Default)]
struct File {
    run: Run,
    has_root: bool,
    foreign_root: Option<String>,
    /// The names of the open elements, the outermost first.
    open: Vec<String>,
    /// The names of the open suites.
    suites: Vec<String>,
    /// The times of the suites directly below the root.
    suite_times: Vec<Option<Duration>>,
    test: Option<Test>,
}

/// The attributes that matter here.
#[derive(Default)]
struct Attributes {
    name: Option<String>,
    classname: Option<String>,
    timestamp: Option<String>,
    time: Option<Duration>,
}

impl File {
    fn begin(&mut self, element: &BytesStart<'_>) -> Result<(), quick_xml::Error> {
        let tag = String::from_utf8_lossy(element.name().as_ref()).into_owned();
        let depth = self.open.len();
        let in_test = self.open.last().is_some_and(|open| open == "testcase");
        match tag.as_str() {
            "testsuites" | "testsuite" if depth == 0 => self.root(attributes(element)?, &tag),
            _ if depth == 0 && faults::accepts_any_root() => self.root(attributes(element)?, &tag),
            _ if depth == 0 => self.foreign_root = Some(tag.clone()),
            "testsuite" => {
                let its = attributes(element)?;
                if depth == 1 {
                    self.suite_times.push(its.time);
                    self.run.started = self.run.started.take().or(its.timestamp);
                }
                let name = its.name.unwrap_or_default();
                faults::suite_is_timed(&mut self.run, &name, its.time);
                self.suites.push(name);
            }
            "testcase" if self.test.is_none() => {
                let its = attributes(element)?;
                let classname = its.classname.filter(|_| !faults::classname_does_not_count());
                let suite = classname.or_else(|| self.suites.last().cloned());
                self.test = Some(Test {
                    suite: suite.unwrap_or_default(),
                    name: its.name.unwrap_or_default(),
                    outcome: Outcome::Passed,
                    time: its.time,
                    retries: 0,
                    repeated: None,
                });
            }
            _ if in_test => self.outcome(&tag, element)?,
            _ => {}
        }
        self.open.push(tag);
        Ok(())
    }

    fn root(&mut self, its: Attributes, tag: &str) {
        self.has_root = true;
        self.run.started = its.timestamp;
        self.run.wall = its.time;
        if tag == "testsuite" {
            self.suites.push(its.name.unwrap_or_default());
        }
    }

    /// Notes an element that says how an attempt of the open test ended.
    fn outcome(&mut self, tag: &str, element: &BytesStart<'_>) -> Result<(), quick_xml::Error> {
        let Some(test) = &mut self.test else { return Ok(()) };
        match tag {
            "error" if faults::an_error_is_no_failure() => {}
            "failure" | "error" => test.outcome = Outcome::Failed,
            "skipped" => test.outcome = Outcome::Skipped,
            "rerunFailure" | "rerunError" if faults::reruns_do_not_count() => {}
            "flakyFailure" | "flakyError" | "rerunFailure" | "rerunError" => {
                test.retries += 1;
                let time = attributes(element)?.time;
                test.repeated = match (test.repeated, time) {
                    (Some(one), Some(other)) => Some(one + other),
                    (one, other) => one.or(other),
                };
                // A failed test can have such elements too: the runner may count flaky as failed.
                if tag.starts_with("flaky") && test.outcome == Outcome::Passed {
                    test.outcome = Outcome::Flaky;
                }
                faults::retry_is_a_test(&mut self.run.tests, test, time);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        match self.open.pop().as_deref() {
            Some("testsuite") => drop(self.suites.pop()),
            Some("testcase") if self.open.last().is_none_or(|open| open != "testcase") => {
                self.run.tests.extend(self.test.take().map(finished));
            }
            _ => {}
        }
    }

    fn done(mut self) -> Run {
        // pytest gives the time of its only suite and none for the whole.
        if let (None, [only]) = (self.run.wall, self.suite_times.as_slice()) {
            self.run.wall = *only;
        }
        faults::parsed(self.run)
    }
}

fn finished(mut test: Test) -> Test {
    if test.outcome == Outcome::Skipped && !faults::a_skipped_test_has_a_time() {
        test.time = None; // pytest writes 0.000
    }
    faults::timed(test)
}

fn attributes(element: &BytesStart<'_>) -> Result<Attributes, quick_xml::Error> {
    let mut its = Attributes::default();
    for attribute in element.attributes() {
        let attribute = attribute?;
        let raw = String::from_utf8_lossy(&attribute.value);
        let value = || {
            if faults::names_stay_encoded() {
                return Ok(raw.clone().into_owned());
            }
            unescape_with(&raw, resolve_xml_entity).map(std::borrow::Cow::into_owned)
        };
        match attribute.key.as_ref() {
            b"name" => its.name = Some(value()?),
            b"classname" => its.classname = Some(value()?).filter(|name| !name.is_empty()),
            b"timestamp" => its.timestamp = Some(value()?),
            b"time" => its.time = seconds(&raw),
            _ => {}
        }
    }
    Ok(its)
}

/// `1,234.5` is `None` too: in half of the world it is a little more than one.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Unreadable, parse};
    use crate::{Outcome, Report, page, text};

    /// As pytest 8 writes it.
    const PYTEST: &str = r#"<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">
        <testsuite name="pytest" errors="0" failures="0" skipped="1" tests="2" time="0.250"
            timestamp="2026-11-27T10:33:36.300123" hostname="h">
        <testcase classname="tests.test_a" name="test_one[&quot;x&quot;]" time="0.125"/>
        <testcase classname="tests.test_a" name="test_two" time="0.000"><skipped type="pytest.skip"
            message="later">why</skipped></testcase></testsuite></testsuites>"#;

    /// As libtest writes it with `--format junit`.
    const LIBTEST: &str = r#"<?xml version="1.0" encoding="UTF-8"?><testsuites><testsuite name="test"
        package="test" id="0" errors="0" failures="1" tests="1" skipped="0"><testcase
        classname="unknown" name="fails" time="0.001"><failure message="no" type="assert"/></testcase>
        <system-out><![CDATA[<testcase name="said"/>]]></system-out><system-err/></testsuite></testsuites>"#;

    #[test]
    fn files_of_other_runners_are_read_as_far_as_they_go() {
        let pytest = parse(PYTEST).unwrap();
        let libtest = parse(LIBTEST).unwrap();

        assert_eq!(pytest.wall, Some(Duration::from_millis(250)));
        assert_eq!(pytest.started.as_deref(), Some("2026-11-27T10:33:36.300123"));
        assert_eq!(pytest.tests[0].name, r#"test_one["x"]"#);
        assert_eq!((pytest.tests[1].outcome, pytest.tests[1].time), (Outcome::Skipped, None));
        assert_eq!(pytest.summary().parallelism, Some(0.5));
        assert_eq!((libtest.wall, libtest.tests.len()), (None, 1));
        assert!(text(&Report::of(libtest)).contains("the file does not say how long"));
    }

    #[test]
    fn a_suite_can_be_the_root_or_in_another_suite() {
        let run = parse(
            r#"<testsuite name="outer"><testcase name="a"/><testsuite name="inner"><testcase name="b"/>
            </testsuite><testcase name="c"/></testsuite>"#,
        );

        let tests = run.unwrap().tests;

        let suites: Vec<_> = tests.iter().map(|it| (it.suite.as_str(), it.name.as_str())).collect();
        assert_eq!(suites, [("outer", "a"), ("inner", "b"), ("outer", "c")]);
    }

    #[test]
    fn a_time_that_is_no_number_of_seconds_is_unknown() {
        for time in ["1,234.5", "-1", "NaN", "inf", "", "soon", "1e300"] {
            let xml =
                format!(r#"<testsuite name="s"><testcase name="a" time="{time}"/></testsuite>"#);

            assert_eq!(parse(&xml).unwrap().tests[0].time, None, "{time}");
        }
    }

    #[test]
    fn a_file_is_whole_or_refused_wherever_it_is_cut() {
        let ends = |text: &str| (1..text.len()).filter(|at| text.is_char_boundary(*at)).collect();
        for whole in [PYTEST, LIBTEST] {
            let ends: Vec<usize> = ends(whole);

            let taken: Vec<&usize> =
                ends.iter().filter(|at| parse(&whole[..**at]).is_ok()).collect();

            assert_eq!(taken, Vec::<&usize>::new());
        }
    }

    #[test]
    fn what_is_no_junit_file_is_named() {
        let refusal = |text: &str| parse(text).unwrap_err();

        assert!(matches!(refusal(" \n"), Unreadable::Empty));
        assert!(
            matches!(refusal("<html><body/></html>"), Unreadable::NotJunit(root) if root == "html")
        );
        assert!(matches!(refusal("test result: ok"), Unreadable::NotXml { .. }));
        assert!(matches!(refusal("<testsuites></testsuite>"), Unreadable::NotXml { .. }));
        assert!(
            matches!(refusal("<testsuites><testsuite>"), Unreadable::Cut(at) if at == "testsuite")
        );
    }

    /// 0.4 s on two cores in a debug build. Work that grows with the square of the tests takes minutes.
    #[test]
    fn ten_thousand_tests_are_read_summed_up_compared_and_shown() {
        let test =
            |nth| format!(r#"<testcase name="t{nth}" classname="s" time="0.{:03}"/>"#, nth % 997);
        let tests: String = (0..10_000).map(test).collect();
        let began = std::time::Instant::now();

        let run = parse(&format!(
            r#"<testsuites time="9"><testsuite name="s">{tests}</testsuite></testsuites>"#
        ));
        let run = run.unwrap();
        let earlier = crate::Run { wall: None, ..run.clone() };
        let report = Report { kept: vec![earlier; 5], ..Report::of(run) };
        let shown = text(&report).len() + page(&report).len();

        assert_eq!(report.run.summary().tests, 10_000);
        assert!(shown > 0 && began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
