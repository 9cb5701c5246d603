//! The finished tests of task 25, to compare with yours.

use std::time::Duration;

use task25_report::{
    Outcome, Report, Run, Slower, Summary, Test, Unreadable, page, parse, slower, text,
};

/// A file with one suite, from the XML of its tests.
fn file(tests: &str) -> String {
    format!(
        r#"<testsuites time="4.000"><testsuite name="shop::it">{tests}</testsuite></testsuites>"#
    )
}

/// A run of tests that passed, with these times in milliseconds.
fn run_of(millis: impl IntoIterator<Item = u64>) -> Run {
    let timed = |(nth, time)| test("shop::it", &format!("test_{nth}"), time);
    Run { started: None, wall: None, tests: millis.into_iter().enumerate().map(timed).collect() }
}

fn test(suite: &str, name: &str, millis: u64) -> Test {
    Test {
        suite: suite.into(),
        name: name.into(),
        outcome: Outcome::Passed,
        time: Some(ms(millis)),
        retries: 0,
        repeated: None,
    }
}

/// A run of one test.
fn run_with(suite: &str, name: &str, millis: u64) -> Run {
    Run { started: None, wall: None, tests: vec![test(suite, name, millis)] }
}

fn summary(xml: &str) -> Summary {
    parse(xml).unwrap().summary()
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_test_has_its_suite_and_its_name() {
    let xml = r#"<testsuites>
        <testsuite name="cart::it" time="3.000"><testcase name="it_starts" time="1.000"/></testsuite>
        <testsuite name="till::it" time="3.000"><testcase name="it_starts" time="2.000"/>
            <testcase name="Vec&lt;T&gt;" time="3.000"/>
            <testcase name="it_ends" classname="till::unit" time="4.000"/></testsuite>
    </testsuites>"#;

    let mut tests = parse(xml).unwrap().tests;
    tests.sort_by_key(|test| test.time);

    let expected = [
        test("cart::it", "it_starts", 1000),
        test("till::it", "it_starts", 2000),
        test("till::it", "Vec<T>", 3000),
        test("till::unit", "it_ends", 4000),
    ];
    assert_eq!(tests, expected);
}

#[test]
fn what_has_no_time_counts_in_no_statistic() {
    let xml = file(
        r#"<testcase name="a" time="4.000"/><testcase name="b"/><testcase name="c"/>
        <testcase name="d" time="0.000"><skipped/></testcase>"#,
    );

    let summary = summary(&xml);

    assert_eq!((summary.tests, summary.skipped, summary.untimed), (4, 1, 2));
    assert_eq!((summary.median, summary.p95), (Some(ms(4000)), Some(ms(4000))));
    assert_eq!(summary.slowest.len(), 1);
    assert_eq!(summary.parallelism, None);
}

#[test]
fn a_failure_and_an_error_are_failed_tests() {
    let xml = file(
        r#"<testcase name="a" time="1"><failure message="no">why</failure></testcase>
        <testcase name="b" time="1"><error/></testcase><testcase name="c" time="1"/>"#,
    );

    assert_eq!((summary(&xml).tests, summary(&xml).failed), (3, 2));
}

#[test]
fn a_retry_is_no_test_and_takes_time() {
    let xml = file(
        r#"<testcase name="a" time="1.000"><flakyFailure time="2.000"/><flakyFailure time="2.000"/></testcase>
        <testcase name="b" time="1.000"><failure/><rerunFailure time="2.000"/></testcase>"#,
    );

    let summary = summary(&xml);

    assert_eq!((summary.tests, summary.flaky, summary.failed, summary.retries), (2, 1, 1, 3));
    assert_eq!((summary.busy, summary.parallelism), (ms(8000), Some(2.0)));
}

#[test]
fn the_time_of_a_failed_test_counts() {
    let xml = file(
        r#"<testcase name="a" time="1.000"/><testcase name="b" time="1.000"/>
        <testcase name="c" time="60.000"><failure/></testcase>"#,
    );

    assert_eq!(summary(&xml).p95, Some(ms(60_000)));
}

#[test]
fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
    assert_eq!(run_of([1000, 9000]).summary().median, Some(ms(5000)));
    assert_eq!(run_of([7, 1, 9]).summary().median, Some(ms(7)));
}

#[test]
fn equal_times_all_count() {
    assert_eq!(run_of([10, 10, 10, 10, 10, 80, 90]).summary().median, Some(ms(10)));
}

#[test]
fn p95_is_the_shortest_time_than_which_95_percent_are_not_longer() {
    // Of 10, nine are 90 %. Of 20, nineteen are 95 %. Of 100, it is ninety-five.
    let p95 = |tests| run_of(1..=tests).summary().p95;

    assert_eq!([1, 10, 20, 100].map(p95), [1, 10, 19, 95].map(|millis| Some(ms(millis))));
}

#[test]
fn parallelism_is_the_sum_of_times_over_the_wall_time() {
    let four = r#"<testcase name="a" time="4"/><testcase name="b" time="4"/>"#.repeat(2);

    assert_eq!(summary(&file(&four)).parallelism, Some(4.0));
}

#[test]
fn without_a_wall_time_the_parallelism_is_not_known() {
    let suite = r#"<testsuite name="s"><testcase name="a" time="4"/></testsuite>"#;

    let unsaid = summary(&format!("<testsuites>{suite}</testsuites>"));
    let zero = summary(&format!(r#"<testsuites time="0.000">{suite}</testsuites>"#));

    assert_eq!((unsaid.wall, unsaid.parallelism), (None, None));
    assert_eq!(zero.parallelism, None);
}

#[test]
fn the_ten_slowest_begin_with_the_slowest() {
    let slowest = run_of((1..=12).map(|second| second * 1000)).summary().slowest;

    let times: Vec<_> = slowest.iter().filter_map(|test| test.time).collect();
    assert_eq!(times, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map(Duration::from_secs));
}

#[test]
fn nothing_is_told_of_no_tests() {
    let summary = summary(r#"<testsuites time="1.000"/>"#);

    assert_eq!((summary.tests, summary.busy), (0, ms(0)));
    assert_eq!((summary.median, summary.p95, summary.parallelism), (None, None, None));
}

#[test]
fn a_file_that_is_not_whole_is_refused() {
    let whole =
        file(r#"<testcase name="a" time="1"/><testcase name="b" time="1"><failure/></testcase>"#);
    let cut = whole.len() / 2;

    assert!(matches!(parse(&whole[..cut]), Err(Unreadable::Cut(_))), "cut at byte {cut}");
    assert!(parse("").is_err() && parse("<html/>").is_err());
}

#[test]
fn slower_means_slower_than_the_median_of_the_last_five() {
    let runs = |times: [u64; 8]| times.map(|millis| run_with("shop::it", "pays", millis)).to_vec();
    // The three oldest do not count. One bad day does not either.
    let kept = runs([900, 900, 900, 10, 10, 20, 30, 600]);

    let found = slower(&kept, &run_with("shop::it", "pays", 100));

    let expected =
        Slower { suite: "shop::it".into(), name: "pays".into(), before: ms(20), now: ms(100) };
    assert_eq!(found, [expected]);
}

#[test]
fn the_largest_increase_comes_first() {
    let [before, now] = [[10, 10, 10], [20, 40, 30]].map(run_of);

    let found = slower(&[before], &now);

    assert_eq!(found.iter().map(|test| test.now).collect::<Vec<_>>(), [40, 30, 20].map(ms));
}

#[test]
fn a_kept_copy_of_the_run_is_no_earlier_run() {
    let mut now = run_with("shop::it", "pays", 100);
    now.started = Some("2026-11-27T10:00:00Z".into());

    let found = slower(&[run_with("shop::it", "pays", 10), now.clone()], &now);

    assert_eq!(found.iter().map(|test| test.before).collect::<Vec<_>>(), [ms(10)]);
}

#[test]
fn a_new_test_is_not_slower_and_a_name_in_another_suite_is_another_test() {
    let kept = [run_with("cart::it", "it_starts", 10)];

    let found = slower(&kept, &run_with("till::it", "it_starts", 500));

    assert_eq!(found, []);
}

#[test]
fn a_name_cannot_be_a_command_for_the_browser() {
    let run = run_with("s", "</li><script>alert(1)</script> & co", 1);

    let page = page(&Report::of(run));

    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script"), "{page}");
    assert!(page.contains(" &amp; co"), "{page}");
}

#[test]
fn a_name_cannot_command_the_terminal() {
    let run = parse(&file(r#"<testcase name="a&#27;[2Jb" time="1"/>"#)).unwrap();

    let report = Report::of(run);

    for shown in [text(&report), page(&report)] {
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert!(shown.contains(r"a\u{1b}[2Jb"), "{shown}");
    }
}
