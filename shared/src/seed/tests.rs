use std::collections::HashSet;

use super::*;

const SEED: Seed = Seed(7);

fn four(mut stream: Stream) -> [u64; 4] {
    std::array::from_fn(|_| stream.next_u64())
}

#[test]
fn what_is_no_seed_is_refused_with_a_sentence_that_names_the_cure() {
    for text in
        ["", " ", " 7 ", "7 ", "+7", "-1", "0x7", "7.0", "seven", "٧", "18446744073709551616"]
    {
        let error = parse(text).unwrap_err().to_string();

        assert!(error.starts_with(&format!("TEST_SEED={text:?} is no seed\n")), "{error}");
        assert!(error.contains("from 0 to 18446744073709551615"), "{error}");
        assert!(error.contains("to fix: ") && error.contains("unset TEST_SEED"), "{error}");
    }
}

#[test]
fn a_seed_may_be_any_number_of_64_bits() {
    for (text, seed) in [("0", 0), ("007", 7), ("18446744073709551615", u64::MAX)] {
        assert_eq!(parse(text), Ok(Seed(seed)));
    }
}

/// These numbers may never change, neither with a library nor with a compiler: a seed in an old
/// report would lose its meaning. They are `ChaCha12` of a SHA-256, computed with other code too.
#[test]
fn the_numbers_of_a_seed_and_a_test_are_for_ever_these() {
    assert_eq!(
        four(of_test(SEED, "it", "m::a_test", "stream", 1)),
        [2506361772332358646, 2433897754071554278, 5182299282630981560, 1673275323003199926]
    );
}

#[test]
fn whatever_makes_a_stream_another_one_makes_other_numbers() {
    let wide = Seed(7 + (1 << 32));
    let streams = [
        of_test(SEED, "it", "m::a", "stream", 1),
        of_test(Seed(8), "it", "m::a", "stream", 1),
        of_test(wide, "it", "m::a", "stream", 1),
        of_test(SEED, "other", "m::a", "stream", 1),
        of_test(SEED, "it", "n::a", "stream", 1),
        of_test(SEED, "it", "m::a", "proptest", 1),
        of_test(SEED, "it", "m::a", "stream", 2),
        of_test(SEED, "itm", "::a", "stream", 1),
        of_test(SEED, "it", "m::a", "stream", 1).child("worker"),
        of_test(SEED, "it", "m::a", "stream", 1).child("other worker"),
    ];
    let count = streams.len();

    let firsts: HashSet<[u64; 4]> = streams.into_iter().map(four).collect();

    assert_eq!(firsts.len(), count);
}

#[test]
fn a_child_does_not_depend_on_how_far_its_parent_is() {
    let mut parent = of_test(SEED, "it", "m::a", "stream", 1);
    let before = four(parent.child("worker"));

    parent.next_u64();

    assert_eq!(four(parent.child("worker")), before);
}

#[test]
fn the_second_stream_of_a_test_neither_repeats_nor_follows_the_first() {
    let (mut first, second) = (stream(), four(stream()));
    let values: HashSet<u64> = (0..1000).map(|_| first.next_u64()).collect();

    assert!(second.iter().all(|value| !values.contains(value)));
}

#[test]
fn a_named_stream_is_the_same_for_whoever_asks() {
    let here = four(stream_for("a name"));

    let there = std::thread::spawn(|| four(stream_for("a name"))).join().unwrap();

    assert_eq!(here, there);
    assert_ne!(here, four(stream_for("another name")));
}

#[test]
fn a_thread_that_belongs_to_no_test_is_told_what_to_do() {
    let nobody = std::thread::spawn(|| of_this_test("stream").map(four)).join().unwrap();

    let error = nobody.unwrap_err().to_string();
    assert!(error.contains("to fix: ") && error.contains("stream.child("), "{error}");
}

#[cfg(feature = "proptest")]
#[test]
fn the_cases_of_a_property_come_from_the_seed_and_leave_no_file() {
    use ::proptest::test_runner::{Config, RngSeed};
    let (first, second) = (proptest(Config::with_cases(3)), proptest(Config::default()));

    assert!(matches!(first.rng_seed, RngSeed::Fixed(_)), "{first:?}");
    assert_ne!(first.rng_seed, second.rng_seed);
    assert_eq!((first.cases, first.failure_persistence), (3, None));
}
