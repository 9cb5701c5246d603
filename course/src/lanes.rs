//! Does work side by side, as much as keeps the machine busy and no more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use testenv::Error;

/// How many test processes run at once, for each core. A suite waits most of its time: for servers,
/// for limits, for its own polls.
const PER_CORE: usize = 3;

/// Does `work` for each item, several at once, and returns the results in the order of the items.
///
/// # Errors
///
/// The first error. What has begun is finished, and nothing else is begun.
pub(crate) fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..(PER_CORE * cores).min(items.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { return };
                    let result = work(item);
                    if result.is_err() {
                        next.store(items.len(), Ordering::Relaxed);
                    }
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::side_by_side;
    use testenv::Error;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..100).collect();

        let results = side_by_side(&items, |item| Ok(item * 2)).unwrap();

        assert_eq!(results, (0..100).map(|item| item * 2).collect::<Vec<_>>());
    }

    #[test]
    fn the_work_is_done_at_once() {
        let both_are_there = Barrier::new(2);

        side_by_side(&[1, 2], |_| Ok(both_are_there.wait().is_leader())).unwrap();
    }

    #[test]
    fn an_error_ends_the_work() {
        let items: Vec<usize> = (0..10_000).collect();
        let begun = std::sync::atomic::AtomicUsize::new(0);

        let failed = side_by_side(&items, |item| {
            begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // All of them take ten seconds and more, so that whoever has the third is not overtaken.
            std::thread::park_timeout(std::time::Duration::from_millis(5));
            if *item == 3 { Err(Error::new("no more")) } else { Ok(()) }
        });

        assert!(failed.unwrap_err().to_string().starts_with("no more"));
        assert!(begun.into_inner() < items.len());
    }
}
