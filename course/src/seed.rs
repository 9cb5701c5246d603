//! The seed of what is chosen by chance here: the order of tests, the rounds of a hunt.

use std::hash::{BuildHasher, Hasher, RandomState};

use testenv::Error;

/// The variable by which the user chooses the seed. The tests read it too.
pub(crate) const SEED_VAR: &str = "TEST_SEED";

/// What [`SEED_VAR`] says. `None` if it is not set.
///
/// # Errors
///
/// When it is set to something that is no seed.
pub(crate) fn given() -> Result<Option<u64>, Error> {
    let Some(text) = std::env::var_os(SEED_VAR) else { return Ok(None) };
    read(&text.to_string_lossy()).map(Some)
}

fn read(text: &str) -> Result<u64, Error> {
    // `u64::from_str` would accept a plus sign.
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits).ok_or_else(|| {
        Error::new(format!("{SEED_VAR}={text:?} is no seed"))
            .cause(format!("a seed is a whole number from 0 to {}, in decimal digits", u64::MAX))
            .fix(format!("export {SEED_VAR}=7, or unset {SEED_VAR}"))
    })
}

/// The seed that was given, or one that nobody chose. Whoever takes it prints it.
pub(crate) fn any() -> Result<u64, Error> {
    Ok(given()?.unwrap_or_else(fresh))
}

/// A number that nobody chose, short enough to type.
pub(crate) fn fresh() -> u64 {
    bits() % 1_000_000
}

/// 64 bits that nobody chose.
#[expect(clippy::disallowed_methods, reason = "its keys are random, and `std` has nothing else")]
pub(crate) fn bits() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The seed of a round, counted from 1. The first one is `seed` itself.
pub(crate) fn of_round(seed: u64, round: u32) -> u64 {
    if round <= 1 { seed } else { mixed(seed.wrapping_add(u64::from(round))) }
}

/// Fisher and Yates's shuffle, on the numbers of splitmix64. A dependency for one shuffle would be
/// more to build than this is to read.
pub(crate) fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(STEP);
        items.swap(last, (mixed(state) % (last as u64 + 1)) as usize);
    }
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of splitmix64.
pub(crate) fn mixed(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{of_round, read, shuffle};

    #[test]
    fn one_seed_is_one_order() {
        let order = |seed| {
            let mut items: Vec<u32> = (0..20).collect();
            shuffle(&mut items, seed);
            items
        };
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
        let mut sorted = order(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn each_round_has_a_seed_of_its_own_and_the_first_has_the_one_that_was_given() {
        let seeds: BTreeSet<u64> = (1..=1000).map(|round| of_round(7, round)).collect();

        assert_eq!((of_round(7, 1), seeds.len()), (7, 1000));
    }

    #[test]
    fn what_is_no_seed_is_refused() {
        for text in ["", " 7", "+7", "-1", "0x7", "seven", "18446744073709551616"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("is no seed") && error.contains("unset TEST_SEED"), "{error}");
        }
        assert_eq!(read("18446744073709551615").unwrap(), u64::MAX);
    }
}
