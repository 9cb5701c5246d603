//! Your tests for task 19. Begin here; the requirements stand in README.md.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mock_instant::thread_local::MockClock;
use task19_fake_clock::{Clock, ExpiringMap, SystemClock};

const HOUR: Duration = Duration::from_secs(3600);
/// The day on which every test begins. The wall clock can be set back from there.
const MONDAY: Duration = Duration::from_secs(20_003 * 86_400);

/// The clock of `mock_instant`. It stands still until the test moves it. It belongs to the thread of
/// the test, so tests in parallel do not move each other's clocks.
struct Mocked(Instant);

impl Mocked {
    fn new() -> Mocked {
        MockClock::set_system_time(MONDAY);
        Mocked(SystemClock.now())
    }
}

impl Clock for Mocked {
    fn now(&self) -> Instant {
        self.0 + MockClock::time()
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + MockClock::system_time()
    }
}

/// A first entry, to show how the clock is passed in. It proves almost nothing yet.
#[test]
fn an_entry_is_there_at_once() {
    let map = ExpiringMap::new(Mocked::new());

    map.insert("apple", 120, HOUR);

    assert_eq!(map.get("apple"), Some(120));
}

// No time has passed in this test. `MockClock::advance(HOUR)` makes an hour pass, in no time.
//
// Still to be tested. A test a fact, named after the fact:
// R1  an entry is there a nanosecond before its time is over, and is gone when its time is over
// R2  … for a time of any length
// R3  reading does not lengthen its life
// R4  inserting again replaces the value, and the time begins anew
// R5  the time begins at the insert, not earlier
// R6  the wall clock jumps back, and forward: `MockClock::set_system_time`
// R7  when an entry was inserted
// R8  the number of entries
// R9  the sweeper frees what is over, and nothing else: `#[tokio::test(start_paused = true)]`
// R10 … and asks the map's clock what is over
// R11 … and ends when it is dropped
