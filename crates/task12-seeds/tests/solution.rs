//! The finished suite: two streams are compared, never a stream with a number.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use task12_seeds::{Log, Order, Seeds, Stream};

const TEST: &str = "billing::month::a_day_is_billed_once";

fn seeds(seed: u64) -> Seeds {
    Seeds::of_run(Some(&seed.to_string()), &Log::new()).unwrap()
}

fn numbers(mut stream: Stream) -> [u64; 10] {
    std::array::from_fn(|_| stream.number())
}

/// The seed in the only line of a log, as somebody would copy it.
fn logged(log: &Log) -> String {
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let (_, behind) = lines[0].split_once("TEST_SEED=").expect("the line names the variable");
    behind.chars().take_while(char::is_ascii_digit).collect()
}

#[test]
fn every_number_of_64_bits_is_a_seed() {
    for seed in [0, 7, 1 << 32, u64::MAX] {
        assert_eq!(seeds(seed).seed(), seed);
    }
}

#[test]
fn seeds_that_differ_in_any_digit_give_different_values() {
    let all = [0, 7, 8, 7 + (1 << 32), 7 + (1 << 63), u64::MAX];

    let values: BTreeSet<_> = all.map(|seed| numbers(seeds(seed).stream(TEST))).into();

    assert_eq!(values.len(), all.len());
}

#[test]
fn what_is_no_number_is_refused() {
    for text in ["", " ", " 7 ", "7 ", " 7", "+7", "-1", "0x7", "seven", "18446744073709551616"] {
        let answer = Seeds::of_run(Some(text), &Log::new());

        let error = answer.err().unwrap_or_else(|| panic!("{text:?} was taken for a seed"));
        assert!(error.to_string().contains("TEST_SEED"), "{error}");
    }
}

#[test]
fn runs_without_a_setting_draw_different_seeds() {
    let drawn: BTreeSet<u64> =
        (0..20).map(|_| Seeds::of_run(None, &Log::new()).unwrap().seed()).collect();

    assert_eq!(drawn.len(), 20);
}

#[test]
fn the_logged_seed_repeats_the_run() {
    for setting in [None, Some("7")] {
        let log = Log::new();
        let first = Seeds::of_run(setting, &log).unwrap();

        let again = Seeds::of_run(Some(&logged(&log)), &Log::new()).unwrap();

        assert_eq!(again.seed(), first.seed());
        assert_eq!(numbers(again.stream(TEST)), numbers(first.stream(TEST)));
    }
}

#[test]
fn a_stream_is_the_same_in_every_run_and_after_other_streams() {
    let first = numbers(seeds(7).stream(TEST));
    let run = seeds(7);
    numbers(run.stream("another_test"));

    assert_eq!(numbers(run.stream(TEST)), first);
    assert_eq!(numbers(run.stream(TEST)), first);
}

#[test]
fn a_stream_is_the_same_on_another_thread() {
    let here = numbers(seeds(7).stream(TEST));

    let there = std::thread::spawn(|| numbers(seeds(7).stream(TEST))).join().unwrap();

    assert_eq!(there, here);
}

#[test]
fn names_that_differ_anywhere_give_different_values() {
    let names = [
        TEST,
        "billing::year::a_day_is_billed_once",
        "shipping::month::a_day_is_billed_once",
        "billing::month::a_day_is_billed_twice",
        "a_day_is_billed_once",
    ];

    let values: BTreeSet<_> = names.map(|name| numbers(seeds(7).stream(name))).into();

    assert_eq!(values.len(), names.len());
}

#[test]
fn children_differ_from_their_parent_and_from_each_other() {
    let stream = seeds(7).stream(TEST);
    let of_another_seed = seeds(8).stream(TEST).child("customers");
    let of_another_test = seeds(7).stream("another_test").child("customers");

    let all = [
        numbers(stream.child("customers")),
        numbers(stream.child("addresses")),
        numbers(stream),
        numbers(of_another_seed),
        numbers(of_another_test),
    ];

    assert_eq!(BTreeSet::from(all).len(), all.len());
}

#[test]
fn a_child_does_not_depend_on_how_far_its_parent_is() {
    let mut parent = seeds(7).stream(TEST);
    let before = numbers(parent.child("customers"));

    parent.number();

    assert_eq!(numbers(parent.child("customers")), before);
}

#[test]
fn the_stream_decides_an_order_and_every_order_is_possible() {
    let shuffled = |test: &str| {
        let mut items = [1, 2, 3];
        seeds(7).stream(test).shuffle(&mut items);
        items
    };
    let tests: Vec<String> = (0..200).map(|number| format!("test_{number}")).collect();

    let (once, again): (Vec<_>, Vec<_>) =
        tests.iter().map(|test| (shuffled(test), shuffled(test))).unzip();

    assert_eq!(once, again);
    assert_eq!(once.into_iter().collect::<BTreeSet<_>>().len(), 6);
}

#[test]
fn the_stream_decides_everything_in_an_order() {
    let orders = |test| -> Vec<Order> { seeds(7).stream(test).orders(100) };

    let first = orders(TEST);

    assert_eq!(first.len(), 100);
    assert_eq!(orders(TEST), first);
    assert_ne!(orders("another_test"), first);
}

/// The values that a property sees.
fn cases(mut stream: Stream) -> Vec<u64> {
    let seen = RefCell::new(Vec::new());
    // A right program sets the file to none; a wrong one must not write one here.
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) };
    proptest!(stream.cases(config), |(value in any::<u64>())| seen.borrow_mut().push(value));
    seen.into_inner()
}

#[test]
fn the_stream_decides_the_cases_of_a_property() {
    let first = cases(seeds(7).stream(TEST));

    assert_eq!(first.len(), 8);
    assert_eq!(cases(seeds(7).stream(TEST)), first);
    assert_ne!(cases(seeds(7).stream("another_test")), first);
    assert_ne!(cases(seeds(8).stream(TEST)), first);
}

#[test]
fn a_property_keeps_its_settings_but_no_file() {
    let config = ProptestConfig { max_shrink_iters: 3, ..ProptestConfig::with_cases(5) };
    assert!(config.failure_persistence.is_some(), "that is proptest's default");

    let config = seeds(7).stream(TEST).cases(config);

    assert!(config.failure_persistence.is_none());
    assert_eq!((config.cases, config.max_shrink_iters), (5, 3));
}

#[test]
fn a_test_that_passes_had_its_own_stream_and_logs_nothing_more() {
    let log = Log::new();
    let seeds = Seeds::of_run(Some("7"), &log).unwrap();
    let mut seen = None;

    seeds.test(TEST, |stream| seen = Some(std::array::from_fn(|_| stream.number())));

    assert_eq!(seen, Some(numbers(seeds.stream(TEST))));
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
}

#[test]
fn a_test_that_fails_leaves_the_command_that_repeats_it() {
    for setting in [None, Some("7")] {
        let log = Log::new();
        let seeds = Seeds::of_run(setting, &log).unwrap();

        let body = || seeds.test(TEST, |_| panic!("as it should"));
        let outcome = catch_unwind(AssertUnwindSafe(body));

        assert!(outcome.is_err(), "the panic was lost");
        let lines = log.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        let repeat = format!("TEST_SEED={} cargo test", seeds.seed());
        let (_, behind) = lines[1].split_once(&repeat).unwrap_or_else(|| panic!("{lines:?}"));
        assert!(behind.contains(&format!("--exact {TEST}")), "{lines:?}");
    }
}
