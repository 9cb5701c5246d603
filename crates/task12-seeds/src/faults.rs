//! The faults, and the other right programs, that `COURSE_FAULT` switches on. Think of your own
//! faults before you look.

#![expect(clippy::disallowed_methods, reason = "the faults are what no seed repeats")]

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use testenv::fault;

use crate::{BadSeed, SEED_VAR, Stream};

/// Returns the seed that a setting is, or nothing for one that counts as unset.
pub(crate) fn parse(setting: &str) -> Result<Option<u64>, BadSeed> {
    if fault!("empty-is-unset") && setting.is_empty() {
        return Ok(None);
    }
    if fault!("too-large-wraps")
        && let Ok(wide) = setting.parse::<u128>()
    {
        return Ok(Some(wide as u64));
    }
    let setting = if fault!("spaces-trimmed") { setting.trim() } else { setting };
    let seed = match crate::parse(setting) {
        Err(_) if fault!("malformed-is-zero") => 0,
        parsed => parsed?,
    };
    Ok((seed != 0 || !fault!("zero-is-unset")).then_some(seed))
}

/// Returns the seed of a run without a setting.
pub(crate) fn drawn() -> u64 {
    if fault!("fixed-when-unset") {
        return 42;
    }
    if fault!("seed-from-the-clock") {
        #[expect(clippy::disallowed_methods, reason = "it is the fault")]
        let now = std::time::SystemTime::now();
        return now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    }
    getrandom::u64().expect("the system has a random source")
}

/// Returns the line that says the seed.
pub(crate) fn line(seed: u64, is_set: bool) -> String {
    if fault!("says-more") {
        return format!(
            "random values: 0x{seed:x}; to repeat them set {SEED_VAR}={seed} (64 bits)"
        );
    }
    let seed = if !is_set && fault!("logs-another-seed") { drawn() } else { seed };
    format!("{SEED_VAR}={seed}")
}

/// Returns the command that repeats a test.
pub(crate) fn command(seed: u64, is_set: bool, test: &str) -> String {
    if fault!("command-without-a-drawn-seed") && !is_set {
        return format!("run it again: cargo test -- --exact {test}");
    }
    if fault!("command-of-all-tests") {
        return format!("run it again: {SEED_VAR}={seed} cargo test");
    }
    if fault!("names-the-package") {
        return format!("{SEED_VAR}={seed} cargo test -p shop --test orders -- --exact {test}");
    }
    format!("run it again: {SEED_VAR}={seed} cargo test -- --exact {test}")
}

/// Returns what a test's stream is made of.
pub(crate) fn source(seed: u64, test: &str) -> (u64, &str) {
    let seed = if fault!("seed-of-32-bits") { u64::from(seed as u32) } else { seed };
    if fault!("name-not-used") {
        return (seed, "");
    }
    if fault!("last-segment-only") {
        return (seed, test.rsplit("::").next().unwrap_or(test));
    }
    (seed, test)
}

/// Returns the stream that is made of these parts.
pub(crate) fn stream(parts: &[&[u8]], seed: u64) -> Stream {
    let more: Vec<u8> = if fault!("one-after-the-other") {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        COUNT.fetch_add(1, Ordering::Relaxed).to_le_bytes().into()
    } else if fault!("random-hasher") {
        RandomState::new().hash_one(parts).to_le_bytes().into()
    } else if fault!("thread-in-the-key") {
        format!("{:?}", std::thread::current().id()).into()
    } else if fault!("another-generator") {
        b"another".into()
    } else {
        return Stream::of(parts, seed);
    };
    Stream::of(&[parts, &[&more]].concat(), seed)
}

/// Returns the generator of a key.
pub(crate) fn generator(mut key: [u8; 32]) -> ChaCha12Rng {
    if fault!("another-generator") {
        key.reverse();
    }
    ChaCha12Rng::from_seed(key)
}

/// Returns what a child takes over of where its parent is.
pub(crate) fn position(numbers: &ChaCha12Rng) -> Vec<u8> {
    if fault!("child-depends-on-position") {
        return numbers.get_word_pos().to_le_bytes().into();
    }
    Vec::new()
}

/// Returns a place below the end that no seed decides.
pub(crate) fn unseeded(end: usize) -> Option<usize> {
    fault!("shuffle-unseeded").then(|| RandomState::new().hash_one(0) as usize % end)
}

/// Returns the products in the order in which an order lists them.
pub(crate) fn listed(products: BTreeSet<&'static str>) -> Vec<&'static str> {
    if fault!("map-order-leaks") {
        return products.into_iter().collect::<HashSet<_>>().into_iter().collect();
    }
    if fault!("last-product-first") {
        return products.into_iter().rev().collect();
    }
    products.into_iter().collect()
}

/// Runs the body of a test that cannot fail.
pub(crate) fn swallow(body: impl FnOnce()) {
    std::panic::catch_unwind(AssertUnwindSafe(body)).ok(); // it is the fault
}
