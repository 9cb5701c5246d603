//! The wrong programs, and the other right ones, that `COURSE_FAULT` switches on.
//!
//! Think about mistakes of your own before you read on. A function leaves everything as it is, and
//! returns its argument unchanged or nothing, unless its fault is on. Each is called once a call,
//! not once a name: asking for a fault takes a while in a process that has another one.

#![expect(clippy::disallowed_methods, reason = "the faults are what no seed repeats")]

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use testenv::{by_fault, fault};
use xxhash_rust::xxh64::xxh64;

use crate::Timings;

/// Returns a number that decides on the shard of a name, of so many shards.
pub(crate) type Hash = fn(&str, u16) -> u64;

/// Returns the place of the shard that gets the next name, by the loads and lists of all shards.
pub(crate) type Pick = fn(&[Duration], &[Vec<String>]) -> usize;

/// Returns another hash.
pub(crate) fn hash() -> Option<Hash> {
    by_fault! {
        "hash-of-the-process" => |name, _| RandomState::new().hash_one(name),
        "one-byte" => |name, _| xxh64(name.as_bytes(), 0) & 0xFF,
        "first-letter" => |name, _| u64::from(name.bytes().next().unwrap_or_default()),
        "other-seed" => |name, _| xxh64(name.as_bytes(), 1),
        // Each shard bids for the name. A further shard takes names from others, and moves no other.
        "rendezvous" => |name, of| {
            let bid = |shard: &u64| xxh64(name.as_bytes(), *shard);
            (0..u64::from(of)).max_by_key(bid).unwrap_or_default()
        },
    }
}

/// Returns the lists of `split`.
pub(crate) fn split<N: AsRef<str>>(names: &[N], lists: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut lists = lists;
    if fault!("dealt-like-cards") {
        let mut deck: Vec<String> = lists.concat();
        deck.sort();
        let of = lists.len();
        lists = vec![Vec::new(); of];
        deck.into_iter().enumerate().for_each(|(at, name)| lists[at % of].push(name));
    }
    if fault!("lists-rotated") {
        lists.rotate_right(1);
    }
    if fault!("lower-cased") {
        lists.iter_mut().flatten().for_each(|name| *name = name.to_lowercase());
    }
    if fault!("twins-dropped") {
        let unique = |list: Vec<String>| list.into_iter().collect::<BTreeSet<_>>();
        lists = lists.into_iter().map(|list| unique(list).into_iter().collect()).collect();
    }
    if fault!("last-shard-lost")
        && let Some(last) = lists.last_mut()
    {
        last.clear();
    }
    if fault!("empty-left-out") {
        lists.retain(|list| !list.is_empty());
    }
    balanced(lists, names)
}

/// Returns the names to be balanced.
pub(crate) fn given<'n, N: AsRef<str>>(names: &'n [N], last: &'n Timings) -> Vec<&'n str> {
    let given = names.iter().map(AsRef::as_ref);
    if fault!("new-left-out") {
        return given.filter(|name| last.contains_key(*name)).collect();
    }
    if fault!("departed-kept") {
        let all: BTreeSet<&str> = given.chain(last.keys().map(String::as_str)).collect();
        return all.into_iter().collect();
    }
    given.collect()
}

/// Rounds the times.
pub(crate) fn rounded(timed: &mut [(&str, Duration)]) {
    if fault!("whole-seconds") {
        timed.iter_mut().for_each(|(_, time)| *time = Duration::from_secs(time.as_secs()));
    }
}

/// Sorts the names again. They come sorted by time.
pub(crate) fn sorted<N: AsRef<str>>(timed: &mut [(&str, Duration)], names: &[N]) {
    if fault!("in-the-order-of-names") {
        timed.sort_unstable();
    }
    if fault!("ties-by-chance") {
        // The order in which a `HashMap` gives its keys.
        let state = RandomState::new();
        timed.sort_by_key(|(name, time)| (Reverse(*time), state.hash_one(name)));
    }
    if fault!("ties-by-place") {
        timed.sort_by_key(|(name, time)| (Reverse(*time), place(names, name)));
    }
}

/// Returns another way to pick a shard.
pub(crate) fn pick() -> Option<Pick> {
    by_fault! {
        "fewest-names" => |_, lists| (0..lists.len()).min_by_key(|&at| lists[at].len()).unwrap_or_default(),
        "first-run-is-free" => |loads, _| (0..loads.len()).min_by_key(|&at| loads[at]).unwrap_or_default(),
        "from-the-last" => |loads, lists| {
            let backwards = (0..loads.len()).rev();
            backwards.min_by_key(|&at| (loads[at], lists[at].len())).unwrap_or_default()
        },
    }
}

/// Changes the timings from which the median is taken.
pub(crate) fn known(known: &mut Vec<Duration>, last: &Timings) {
    if fault!("departed-in-the-median") {
        *known = last.values().copied().collect();
    }
}

/// Returns what a name without a timing counts. `known` are the sorted timings of the others.
pub(crate) fn new_name(known: &[Duration]) -> Option<Duration> {
    if known.is_empty() {
        return fault!("first-run-is-free").then_some(Duration::ZERO);
    }
    if fault!("new-is-free") {
        return Some(Duration::ZERO);
    }
    if fault!("mean-not-median") {
        let number = u32::try_from(known.len()).unwrap_or(u32::MAX);
        return Some(known.iter().sum::<Duration>() / number);
    }
    fault!("lower-median").then(|| known[(known.len() - 1) / 2])
}

/// Returns the lists of `balance`.
pub(crate) fn balanced<N: AsRef<str>>(
    mut lists: Vec<Vec<String>>,
    names: &[N],
) -> Vec<Vec<String>> {
    if fault!("order-inside") {
        // The last name that was given comes first.
        lists.iter_mut().for_each(|list| list.sort_by_key(|name| Reverse(place(names, name))));
    }
    lists
}

fn place<N: AsRef<str>>(names: &[N], name: &str) -> Option<usize> {
    names.iter().position(|other| other.as_ref() == name)
}
