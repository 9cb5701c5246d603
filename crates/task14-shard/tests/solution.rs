//! The finished suite: every name is somewhere, nothing is anywhere twice, and two jobs that never meet agree.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use task14_shard::{Shard, Timings, balance, shard_of, split};

/// The seed is fixed, so that a verdict does not depend on luck. No file keeps failures: most of the
/// programs that run here are wrong on purpose.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 48,
        rng_seed: RngSeed::Fixed(14),
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    }
}

/// Names as cargo and libtest have them. From so few letters, some come twice.
fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-cA-C][a-c_:0-9-]{0,3}", 0..40)
}

fn timings() -> impl Strategy<Value = Timings> {
    let time = (0..100_000_u64).prop_map(Duration::from_millis);
    prop::collection::btree_map("[a-cA-C][a-c_:0-9-]{0,3}", time, 0..40)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_name_is_in_one_list_for_any_number_of_shards(names in names(), of in 1..1000_u16) {
        let lists = split(&names, of).unwrap();

        prop_assert_eq!(lists.len(), usize::from(of));
        prop_assert_eq!(sorted(lists.concat()), sorted(names));
    }

    #[test]
    fn a_name_stands_where_shard_of_says(names in names(), of in 1..20_u16) {
        let lists = split(&names, of).unwrap();

        for (list, shard) in lists.iter().zip(1..) {
            for name in list {
                prop_assert_eq!(shard_of(name, of), Ok(shard), "{}", name);
            }
        }
    }

    #[test]
    fn balancing_loses_and_invents_nothing(
        names in names(),
        last in timings(),
        of in 1..1000_u16,
    ) {
        let lists = balance(&names, &last, of).unwrap();

        prop_assert_eq!(lists.len(), usize::from(of));
        prop_assert_eq!(sorted(lists.concat()), sorted(names));
    }

    #[test]
    fn balancing_ignores_the_order_of_the_names(
        (names, shuffled) in names().prop_flat_map(|names| (Just(names.clone()), Just(names).prop_shuffle())),
        last in timings(),
        of in 1..5_u16,
    ) {
        let lists = balance(&names, &last, of).unwrap();

        prop_assert_eq!(each_sorted(lists), each_sorted(balance(&shuffled, &last, of).unwrap()));
    }
}

#[test]
fn a_thousand_names_leave_no_shard_with_twice_its_part() {
    let names: Vec<String> = (0..1000).map(|nth| format!("task-{nth}")).collect();

    for of in 2..=10 {
        let fullest = split(&names, of).unwrap().iter().map(Vec::len).max().unwrap();

        assert!(fullest <= 2 * names.len() / usize::from(of), "{fullest} in one of {of}");
    }
}

#[test]
fn a_thousand_names_reach_half_of_a_thousand_shards() {
    let names: Vec<String> = (0..1000).map(|nth| format!("task-{nth}")).collect();

    let used = split(&names, 1000).unwrap().iter().filter(|list| !list.is_empty()).count();

    assert!(used >= 500, "{used}");
}

#[test]
fn a_timing_of_a_name_that_is_gone_changes_nothing() {
    let names = ["a", "b", "c", "new-1", "new-2", "new-3", "new-4"];
    let last = timed([("a", 3000), ("b", 2000), ("c", 1000)]);
    let with_old = [
        last.clone(),
        timed([("old-1", 900_000), ("old-2", 800_000), ("old-3", 600_000), ("old-4", 700_000)]),
    ];

    let lists = balance(&names, &last, 2).unwrap();

    let with_old: Timings = with_old.into_iter().flatten().collect();
    assert_eq!(each_sorted(balance(&names, &with_old, 2).unwrap()), each_sorted(lists));
}

/// The best split is known, because each case is made of shards that are exactly full.
#[test]
fn the_slowest_shard_takes_at_most_four_thirds_of_the_best() {
    let cases = [
        (
            3,
            3000,
            timed([
                ("a", 1000),
                ("b", 1000),
                ("c", 1000),
                ("d", 1000),
                ("e", 1000),
                ("f", 1000),
                ("g", 3000),
            ]),
        ),
        (2, 2000, timed([("a", 2000), ("b", 1000), ("c", 1000)])),
        (2, 900, timed([("a", 900), ("b", 450), ("c", 450)])),
    ];
    for (of, best, last) in cases {
        let names: Vec<&String> = last.keys().collect();

        let lists = balance(&names, &last, of).unwrap();

        let slowest = slowest(&lists, |name| last[name]);
        assert!(3 * slowest <= 4 * Duration::from_millis(best), "{slowest:?}: {lists:?}");
    }
}

#[test]
fn a_new_name_counts_as_the_median() {
    let new: Vec<String> = (0..90).map(|nth| format!("new-{nth}")).collect();
    let last = timed([("slow", 100_000), ("a", 1000), ("b", 1000), ("c", 1000), ("d", 1000)]);
    let names = || last.keys().chain(&new).collect::<Vec<_>>();

    let lists = balance(&names(), &last, 2).unwrap();

    // `slow` alone takes 100 s, and the others fit beside it: 94 names of 1 s.
    let median = Duration::from_secs(1);
    let slowest = slowest(&lists, |name| last.get(name).copied().unwrap_or(median));
    assert!(3 * slowest <= 4 * Duration::from_secs(100), "{slowest:?}");
}

#[test]
fn new_names_do_not_all_go_to_one_shard() {
    let names = ["a", "b", "c", "d", "e", "f"];
    for last in [timed([]), timed([("a", 3000)])] {
        let lists = balance(&names, &last, 2).unwrap();

        // All six count alike.
        assert!(lists.iter().all(|list| list.len() <= 4), "{lists:?}");
    }
}

#[test]
fn two_jobs_agree_on_names_that_take_equally_long() {
    let names: Vec<String> = (0..20).map(|nth| format!("task-{nth}")).collect();
    let job = || each_sorted(balance(&names, &timed([]), 2).unwrap());

    let first = job();

    assert!((0..10).all(|_| job() == first));
}

#[test]
fn zero_shards_are_refused() {
    let names = ["a"];

    assert!(shard_of("a", 0).is_err());
    assert!(split(&names, 0).is_err());
    assert!(balance(&names, &timed([]), 0).is_err());
}

#[test]
fn a_shard_can_be_read_if_it_exists() {
    for of in [1, 2, 1000] {
        for number in 1..=of {
            let shard: Shard = format!("{number}/{of}").parse().unwrap();
            assert_eq!((shard.number(), shard.of()), (number, of));
        }
    }
    for none in ["0/2", "3/2", "0/0", "1/0", "a/b", "1", ""] {
        assert!(none.parse::<Shard>().is_err(), "{none}");
    }
}

/// In milliseconds.
fn timed<const N: usize>(times: [(&str, u64); N]) -> Timings {
    times.map(|(name, time)| (name.to_owned(), Duration::from_millis(time))).into()
}

fn slowest(lists: &[Vec<String>], time: impl Fn(&str) -> Duration) -> Duration {
    lists.iter().map(|list| list.iter().map(|name| time(name)).sum()).max().unwrap()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn each_sorted(lists: Vec<Vec<String>>) -> Vec<Vec<String>> {
    lists.into_iter().map(sorted).collect()
}
