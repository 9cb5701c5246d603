//! Splits by how long everything took last time, so that all jobs end at about the same time.
//!
//! Invariant: two jobs with the same names and timings get the same lists, in whatever order each of
//! them has the names.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::faults;
use crate::shard::{ShardError, empty_lists};

/// How long each name took in an earlier run.
pub type Timings = BTreeMap<String, Duration>;

/// What a name counts if no name has a timing. Only that all count alike matters.
const ANY: Duration = Duration::from_secs(1);

/// Splits the names so that each shard takes about as long as the others. The first list belongs to
/// shard 1.
///
/// The longest name comes first, and each name goes to the shard that has least to do. The slowest
/// shard takes at most 4/3 of what it takes in the best possible split (Graham, "Bounds on
/// multiprocessing timing anomalies", 1969).
///
/// A name without a timing counts as the median of the names that have one. A timing without a name
/// is ignored.
///
/// ```
/// use std::time::Duration;
/// use task14_shard::{Timings, balance};
///
/// let last = [("slow", 2), ("a", 1), ("b", 1)];
/// let last: Timings =
///     last.map(|(name, seconds)| (name.to_owned(), Duration::from_secs(seconds))).into();
///
/// assert_eq!(balance(&["a", "b", "slow"], &last, 2)?, [vec!["slow"], vec!["a", "b"]]);
/// # Ok::<(), task14_shard::ShardError>(())
/// ```
///
/// # Errors
///
/// If `of` is 0.
pub fn balance<N: AsRef<str>>(
    names: &[N],
    last: &Timings,
    of: u16,
) -> Result<Vec<Vec<String>>, ShardError> {
    let mut lists = empty_lists(of)?;
    let pick = faults::pick().unwrap_or(least_loaded);
    let mut loads = vec![Duration::ZERO; lists.len()];
    for (name, time) in longest_first(names, last) {
        let least = pick(&loads, &lists);
        loads[least] = loads[least].saturating_add(time);
        lists[least].push(name.to_owned());
    }
    Ok(faults::balanced(lists, names))
}

/// Returns each name with its time. Of names that take equally long, the first by name comes first.
fn longest_first<'n, N: AsRef<str>>(names: &'n [N], last: &'n Timings) -> Vec<(&'n str, Duration)> {
    let new = time_of_a_new_name(names, last);
    let timed = |name: &'n str| (name, last.get(name).copied().unwrap_or(new));
    let mut timed: Vec<_> = faults::given(names, last).into_iter().map(timed).collect();
    faults::rounded(&mut timed);
    timed.sort_unstable_by(|(name_a, a), (name_b, b)| (b, name_a).cmp(&(a, name_b)));
    faults::sorted(&mut timed, names);
    timed
}

/// Returns the place of the shard that has least to do. Of equal shards, it is the one with fewer
/// names, then the first.
fn least_loaded(loads: &[Duration], lists: &[Vec<String>]) -> usize {
    (0..loads.len()).min_by_key(|&at| (loads[at], lists[at].len())).expect("there is a shard")
}

fn time_of_a_new_name<N: AsRef<str>>(names: &[N], last: &Timings) -> Duration {
    let mut known: Vec<Duration> =
        names.iter().filter_map(|name| last.get(name.as_ref()).copied()).collect();
    faults::known(&mut known, last);
    known.sort_unstable();
    faults::new_name(&known).or_else(|| known.get(known.len() / 2).copied()).unwrap_or(ANY)
}

#[cfg(test)]
mod tests {
    use super::{Timings, balance};
    use std::time::Duration;

    #[test]
    fn timings_that_fill_a_duration_do_not_overflow() {
        let names = ["a", "b", "c"];
        let last: Timings = names.map(|name| (name.to_owned(), Duration::MAX)).into();

        let lists = balance(&names, &last, 2).unwrap();

        assert_eq!(lists.concat().len(), 3);
    }

    #[test]
    fn names_that_took_no_time_are_spread_too() {
        let last: Timings = ["a", "b"].map(|name| (name.to_owned(), Duration::ZERO)).into();

        assert_eq!(balance(&["a", "b"], &last, 2).unwrap(), [["a"], ["b"]]);
    }
}
