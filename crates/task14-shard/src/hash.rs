//! Splits by a hash of the name. No job needs to know what the other jobs have.
//!
//! Invariant: the shard of a name depends on the name and on the number of shards, and on nothing
//! else: not on the process, the machine, the toolchain, or the other names.

use testenv::fault;
use xxhash_rust::xxh64::xxh64;

use crate::faults::{self, Hash};
use crate::shard::{ShardError, empty_lists};

/// The seed of the hash. nextest has 0 too, so `cargo nextest run --partition hash:1/2` agrees.
const SEED: u64 = 0;

/// Returns the shard of a name: a number from 1 to `of`.
///
/// The hash is XXH64. The hash of the standard library is no choice: `RandomState` differs from
/// process to process, and `DefaultHasher` may differ from toolchain to toolchain.
///
/// ```
/// // `cargo nextest run --partition hash:2/2` runs this test, too.
/// assert_eq!(task14_shard::shard_of("a_new_name_counts_as_the_median", 2)?, 2);
/// # Ok::<(), task14_shard::ShardError>(())
/// ```
///
/// # Errors
///
/// If `of` is 0.
pub fn shard_of(name: &str, of: u16) -> Result<u16, ShardError> {
    match of {
        0 if fault!("zero-is-one") => Ok(1),
        0 => Err(ShardError::NoShards),
        _ => Ok(placed(name, of, faults::hash().unwrap_or(hash))),
    }
}

/// Splits the names by [`shard_of`]. The first list belongs to shard 1.
///
/// # Errors
///
/// If `of` is 0.
pub fn split<N: AsRef<str>>(names: &[N], of: u16) -> Result<Vec<Vec<String>>, ShardError> {
    let mut lists = empty_lists(of)?;
    let hash = faults::hash().unwrap_or(hash);
    for name in names {
        let name = name.as_ref();
        lists[usize::from(placed(name, of.max(1), hash)) - 1].push(name.to_owned());
    }
    Ok(faults::split(names, lists))
}

fn hash(name: &str, _of: u16) -> u64 {
    xxh64(name.as_bytes(), SEED)
}

fn placed(name: &str, of: u16, hash: Hash) -> u16 {
    let remainder = hash(name, of) % u64::from(of);
    1 + u16::try_from(remainder).expect("a remainder is less than its divisor")
}

#[cfg(test)]
mod tests {
    use super::{shard_of, split};

    /// Seen with cargo-nextest 0.9.151: `cargo nextest list --partition hash:<m>/<n>`.
    #[test]
    fn a_test_is_in_the_shard_that_nextest_gives_it() {
        for (name, of, shard) in PINNED {
            assert_eq!(shard_of(name, of), Ok(shard), "{name} of {of}");
        }
    }

    const PINNED: [(&str, u16, u16); 6] = [
        ("two_shards_are_two_lists", 2, 1),
        ("a_new_name_counts_as_the_median", 2, 2),
        ("shard::tests::a_shard_is_written_as_it_is_read", 2, 2),
        ("two_shards_are_two_lists", 7, 4),
        ("a_new_name_counts_as_the_median", 7, 3),
        ("shard::tests::a_shard_is_written_as_it_is_read", 7, 4),
    ];

    #[test]
    fn the_lists_are_those_of_shard_of() {
        let names = ["a", "b", "c", "d", "e"];

        let lists = split(&names, 2).unwrap();

        for (list, shard) in lists.iter().zip(1..) {
            assert!(list.iter().all(|name| shard_of(name, 2) == Ok(shard)), "{lists:?}");
        }
        assert_eq!(lists.concat().len(), names.len());
    }
}
