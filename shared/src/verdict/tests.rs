//! Tests of what waits, and for how long. `tests/it/p6_failed_tests.rs` tests the end of the
//! process.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// What became of a fake.
static KEPT: AtomicUsize = AtomicUsize::new(1);
const GONE: usize = usize::MAX;

struct Fake(Arc<AtomicUsize>);

impl Evidence for Fake {
    fn room(&self) -> usize {
        3
    }

    fn keep(&mut self) {
        self.0.store(KEPT.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
    }

    fn let_go(&mut self) {
        self.0.store(GONE, Ordering::SeqCst);
    }

    fn told(&self) -> Told {
        Told { stays: String::new(), open: None, more: Vec::new() }
    }
}

/// A guard of a test that ends, by a panic or not; its thread ends with it.
fn ends(service: &'static str, test: &str, by_panic: bool) -> Arc<AtomicUsize> {
    struct Guard(Held, Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.end(Fake(self.1.clone()));
        }
    }
    let state = Arc::new(AtomicUsize::new(0));
    let (test, seen) = (test.to_owned(), state.clone());
    let ended = std::thread::spawn(move || {
        let _guard = Guard(Held::new(service, test), seen);
        assert!(!by_panic, "as told");
    });
    assert_eq!(ended.join().is_err(), by_panic);
    state
}

fn is_gone(state: &Arc<AtomicUsize>) -> bool {
    state.load(Ordering::SeqCst) == GONE
}

#[test]
fn of_a_test_the_newest_stays_and_one_that_panicked_before_one_that_did_not() {
    let service = "of a test";
    let passed = ends(service, "a", false);
    let (first, second) = (ends(service, "a", true), ends(service, "a", true));
    let after = ends(service, "a", false);

    assert!(is_gone(&passed) && is_gone(&first) && is_gone(&after));
    assert!(!is_gone(&second) && second.load(Ordering::SeqCst) > 0, "it is kept");
}

#[test]
fn of_all_tests_as_many_stay_as_there_is_room_for() {
    let service = "of all";
    let names = ["a", "b", "c", "d", "e"];

    let ended = names.map(|test| ends(service, test, false));
    let panicked = names.map(|test| ends(service, &format!("{test}, panicking"), true));

    for states in [ended, panicked] {
        assert_eq!(states.each_ref().map(is_gone), [true, true, false, false, false]);
    }
}

#[test]
fn what_a_test_holds_at_once_stays_together_when_it_panics() {
    let service = "at once";
    let one = Held::new(service, "a".into());
    let other = ends(service, "a", true);
    let state = Arc::new(AtomicUsize::new(0));
    // The guard is dropped by another thread while that one panics too.
    let ended = std::thread::scope(|scope| {
        let panics = scope.spawn(|| {
            struct Guard<'a>(&'a Held, Arc<AtomicUsize>);
            impl Drop for Guard<'_> {
                fn drop(&mut self) {
                    self.0.end(Fake(self.1.clone()));
                }
            }
            let _guard = Guard(&one, state.clone());
            panic!("as told");
        });
        panics.join()
    });

    assert!(ended.is_err() && !is_gone(&other) && !is_gone(&state));
}

#[test]
fn a_guard_that_is_dropped_before_the_tests_last_one_goes_at_once_and_so_does_one_for_want_of_room()
{
    let service = "before the last";
    let last = Held::new(service, "a".into());
    let first = ends(service, "a", false);
    assert!(is_gone(&first));

    let state = Arc::new(AtomicUsize::new(0));
    last.end(Fake(state.clone()));
    assert!(!is_gone(&state));
    assert_eq!(spare(service), 1);
    make_room(service);
    assert!(is_gone(&state));
}

#[test]
fn what_a_test_dropped_that_goes_on_goes_too() {
    let state = Arc::new(AtomicUsize::new(0));
    Held::new("goes on", "a".into()).end(Fake(state.clone()));

    let gone = wait::until_blocking(Duration::from_secs(20), "its end", || {
        if is_gone(&state) { Ok(()) } else { Err("it waits for the test's") }
    });

    gone.unwrap();
}
