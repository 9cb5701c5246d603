//! The finished checks of task 29, to compare with yours.

use task29_harness_docs::{Example, FirstTest, Harness, Manual, Outcome};

#[test]
fn every_public_item_is_documented() {
    let manual = Manual::open();

    // `-W` would obey an `#[allow]` in the source.
    let missing = manual.rustdoc(&["--force-warn", "missing_docs"]);

    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_link_leads_somewhere() {
    let manual = Manual::open();

    let broken = manual.rustdoc(&["--force-warn", "rustdoc::all", "-A", "missing_docs"]);

    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_example_runs_or_says_why_it_does_not() {
    let examples = Manual::open().examples();

    let is_right = |example: &&Example| match example.outcome {
        Outcome::Ran => true,
        Outcome::Compiled => example.above.starts_with("Not run: "),
        Outcome::NotCode => !example.code.contains("scratch::"),
        Outcome::Ignored | Outcome::Failed => false,
    };
    let wrong: Vec<&Example> = examples.iter().filter(|example| !is_right(example)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(examples.iter().any(|example| example.outcome == Outcome::Ran), "no example at all");
}

#[test]
fn nothing_that_a_reader_needs_is_hidden() {
    for example in Manual::open().examples() {
        let needed: Vec<&String> =
            example.hidden.iter().filter(|line| !line.starts_with("Ok")).collect();

        assert!(needed.is_empty(), "{}: {needed:?}", example.at);
    }
}

#[test]
fn what_can_fail_says_when() {
    for function in Manual::open().functions() {
        if function.returns.contains("Result<") {
            assert!(function.docs.contains("# Errors\n"), "{}", function.name);
        }
        if function.name.starts_with("fresh_") {
            assert!(function.docs.contains("# Panics\n"), "{}", function.name);
        }
    }
}

#[test]
fn a_number_in_the_docs_is_the_one_of_the_code() {
    let manual = Manual::open();
    let functions = manual.functions();

    for constant in manual.constants() {
        let link = format!("[`{}`]", constant.name);
        let about = functions.iter().filter(|function| function.docs.contains(&link));
        for docs in about.map(|function| &function.docs).chain([&constant.docs]) {
            assert_eq!(numbers(docs), [constant.value.as_str()], "{}: {docs}", constant.name);
        }
    }
}

#[test]
fn the_first_test_can_be_copied_and_proves_something() {
    let manual = Manual::open();
    let code: String = manual
        .examples()
        .into_iter()
        .filter(|example| example.heading == "First test" && example.words.is_empty())
        .map(|example| example.code)
        .collect();

    let sound = manual.first_test(&code, Harness::Sound);
    let broken = manual.first_test(&code, Harness::Broken);

    assert_eq!(sound, FirstTest::Ran { passed: 1, failed: 0 });
    assert_eq!(broken, FirstTest::Ran { passed: 0, failed: 1 });
}

fn numbers(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.filter(|word| !word.is_empty()).collect()
}
