//! The finished tests, to compare with yours.

use task23_quarantine::{
    Date, Entry, Known, Outcome, Problem, Ran, Row, blocking, check, read, rows,
};

/// An entry in which everything is said. The tests below leave things out.
const WHOLE: [(&str, &str); 5] = [
    ("package", "\"shop\""),
    ("test", "\"cart::adds\""),
    ("reason", "\"loses a race with the clock\""),
    ("owner", "\"Ada\""),
    ("until", "2027-01-30"),
];

fn file(keys: impl IntoIterator<Item = (&'static str, &'static str)>) -> String {
    let lines = keys.into_iter().map(|(key, value)| format!("{key} = {value}\n"));
    "[[test]]\n".to_owned() + &lines.collect::<String>()
}

#[test]
fn an_entry_that_says_everything_is_read() {
    let entries = read(&file(WHOLE)).unwrap();

    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((entry.package.as_str(), entry.test.as_str()), ("shop", "cart::adds"));
    assert_eq!(
        (entry.reason.as_str(), entry.owner.as_str()),
        ("loses a race with the clock", "Ada")
    );
    assert_eq!(entry.until, day(30));
}

#[test]
fn an_entry_that_lacks_something_is_refused() {
    for (lacking, _) in WHOLE {
        let rest = WHOLE.into_iter().filter(|(key, _)| *key != lacking);
        assert!(read(&file(rest)).is_err(), "no {lacking}");

        let empty = WHOLE.map(|(key, value)| (key, if key == lacking { "\" \"" } else { value }));
        assert!(read(&file(empty)).is_err(), "an empty {lacking}");
    }
    assert!(
        read(&file(WHOLE.map(|(key, value)| (if key == "owner" { "ower" } else { key }, value))))
            .is_err()
    );
}

#[test]
fn an_entry_is_good_to_the_end_of_its_last_day() {
    let (entries, known) = ([entry("shop", "cart::adds")], [hidden("shop", "cart::adds")]);

    assert_eq!(check(&entries, &known, day(30)), []);
    assert_eq!(check(&entries, &known, day(31)), []);
    let over = Date::constant(2027, 2, 1);
    let expired = Problem::Expired("shop".into(), "cart::adds".into(), day(31));
    assert_eq!(check(&entries, &known, over), [expired]);
}

#[test]
fn the_test_of_an_entry_is_there_with_its_package_and_its_whole_name() {
    let entries = [entry("shop", "cart::adds")];
    let unknown = || Problem::Unknown("shop".into(), "cart::adds".into());

    assert_eq!(check(&entries, &[], day(1)), [unknown()]);
    for (package, test) in [("till", "cart::adds"), ("shop", "orders::adds")] {
        let problems = check(&entries, &[hidden(package, test)], day(1));
        assert!(problems.contains(&unknown()), "{package} {test}: {problems:?}");
    }
}

#[test]
fn a_test_is_in_quarantine_with_an_entry_and_behind_the_feature() {
    let blocks = Known { is_behind_flaky: false, ..hidden("shop", "cart::adds") };
    let still = Problem::StillBlocks("shop".into(), "cart::adds".into());
    assert_eq!(
        check(&[entry("shop", "cart::adds")], std::slice::from_ref(&blocks), day(1)),
        [still]
    );

    let unlisted = Problem::Unlisted("shop".into(), "cart::adds".into());
    assert_eq!(check(&[], &[hidden("shop", "cart::adds")], day(1)), [unlisted]);
    assert_eq!(check(&[], &[blocks], day(1)), []);
}

#[test]
fn a_test_has_one_entry() {
    let entries = [entry("shop", "cart::adds"), entry("shop", "cart::adds")];

    let problems = check(&entries, &[hidden("shop", "cart::adds")], day(1));

    assert_eq!(problems, [Problem::Twice("shop".into(), "cart::adds".into())]);
}

#[test]
fn all_problems_are_said() {
    let entries = [entry("shop", "one"), entry("shop", "two")];

    let problems = check(&entries, &[hidden("shop", "three")], day(1));

    assert_eq!(problems.len(), 3, "{problems:?}");
    for problem in [
        Problem::Unknown("shop".into(), "one".into()),
        Problem::Unknown("shop".into(), "two".into()),
        Problem::Unlisted("shop".into(), "three".into()),
    ] {
        assert!(problems.contains(&problem), "{problem} in {problems:?}");
    }
}

#[test]
fn failures_block_unless_their_tests_are_in_quarantine() {
    use Outcome::{Failed, Passed, Retried};
    let entries = [entry("shop", "cart::adds")];
    let run = [
        ran("shop", "cart::adds", Failed),
        ran("shop", "cart::adds_twice", Failed),
        ran("till", "cart::adds", Failed),
        ran("shop", "cart::sums", Passed),
        ran("shop", "cart::waits", Retried),
    ];

    let blocking: Vec<&Ran> = blocking(&entries, &run);

    assert_eq!(blocking, [&run[1], &run[2], &run[4]]);
}

#[test]
fn a_row_says_how_often_a_test_ran_and_passed_and_how_it_ended() {
    use Outcome::{Failed, Passed};
    let row = row_of(&[Some(Passed), Some(Failed), None, Some(Passed)], 9);
    assert_eq!((row.package.as_str(), row.test.as_str()), ("shop", "cart::adds"));
    assert_eq!((row.ran, row.passed, row.last), (3, 2, Some(Passed)));

    assert_eq!(row_of(&[Some(Passed), None], 9).last, None, "it did not run in the last one");
}

#[test]
fn a_test_may_leave_when_it_has_passed_so_often_in_a_row_up_to_now() {
    use Outcome::{Failed, Passed, Retried};
    let cases: [(&[Option<Outcome>], usize, bool); 6] = [
        (&[Some(Passed), Some(Passed), Some(Passed)], 3, true),
        (&[Some(Passed), Some(Passed), Some(Failed)], 0, false),
        (&[Some(Passed), Some(Failed), Some(Passed), Some(Passed)], 2, false),
        (&[Some(Passed), None, Some(Passed), Some(Passed)], 3, true),
        (&[None, None, None], 0, false),
        (&[Some(Passed), Some(Passed), Some(Retried)], 0, false),
    ];
    for (outcomes, in_a_row, may_leave) in cases {
        let row = row_of(outcomes, 3);
        assert_eq!((row.in_a_row, row.may_leave), (in_a_row, may_leave), "{outcomes:?}");
    }
}

/// The row of a test that ended so in the runs, the oldest first.
fn row_of(outcomes: &[Option<Outcome>], needed: usize) -> Row {
    let run = |outcome: &Option<Outcome>| {
        let ours = outcome.map(|outcome| ran("shop", "cart::adds", outcome));
        ours.into_iter().chain([ran("shop", "cart::sums", Outcome::Passed)]).collect()
    };
    let runs: Vec<Vec<Ran>> = outcomes.iter().map(run).collect();
    let mut rows = rows(&[entry("shop", "cart::adds")], &runs, needed);
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn entry(package: &str, test: &str) -> Entry {
    let (reason, owner) = ("a race".to_owned(), "Ada".to_owned());
    Entry { package: package.to_owned(), test: test.to_owned(), reason, owner, until: day(31) }
}

fn hidden(package: &str, test: &str) -> Known {
    Known { package: package.to_owned(), test: test.to_owned(), is_behind_flaky: true }
}

fn ran(package: &str, test: &str, outcome: Outcome) -> Ran {
    Ran { package: package.to_owned(), test: test.to_owned(), outcome }
}

/// A day of January 2027.
fn day(day: i8) -> Date {
    Date::constant(2027, 1, day)
}
