//! The finished suite: hours pass, and the suite takes milliseconds.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mock_instant::thread_local::MockClock;
use task19_fake_clock::{Clock, ExpiringMap, SystemClock};
use testenv::leaks::tokio;

const TICK: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
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

/// tokio's clock, for tests in which timers and entries share one time.
struct Paused;

impl Clock for Paused {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + MONDAY
    }
}

/// Lets tokio's paused time pass, from timer to timer. `advance` would jump over them.
async fn pass(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the clock is paused: it takes no time")]
    tokio::time::sleep(time).await;
}

#[test]
fn an_entry_of_an_hour_is_there_a_tick_before_and_gone_at_the_hour_and_after() {
    let map = ExpiringMap::new(Mocked::new());
    map.insert("apple", 120, HOUR);

    MockClock::advance(HOUR - TICK);
    assert_eq!(map.get("apple"), Some(120), "a tick before");
    MockClock::advance(TICK);
    assert_eq!(map.get("apple"), None, "at the hour");
    MockClock::advance(TICK);
    assert_eq!(map.get("apple"), None, "a tick after");
}

#[test]
fn a_time_may_have_any_length() {
    let map = ExpiringMap::new(Mocked::new());
    let short = Duration::from_millis(1500);
    map.insert("short", 1, short);
    map.insert("longest", 2, Duration::MAX);

    MockClock::advance(short - TICK);
    assert_eq!(map.get("short"), Some(1));
    MockClock::advance(TICK);
    assert_eq!(map.get("short"), None);
    MockClock::advance(365 * DAY);
    assert_eq!(map.get("longest"), Some(2));
}

#[test]
fn reading_an_entry_does_not_lengthen_its_life() {
    let map = ExpiringMap::new(Mocked::new());
    map.insert("apple", 120, HOUR);

    for _ in 0..3 {
        MockClock::advance(HOUR / 4);
        assert_eq!(map.get("apple"), Some(120));
    }
    MockClock::advance(HOUR / 4);

    assert_eq!(map.get("apple"), None);
}

#[test]
fn inserting_again_replaces_the_value_and_the_time_begins_anew() {
    let map = ExpiringMap::new(Mocked::new());
    map.insert("apple", 120, HOUR);
    MockClock::advance(HOUR / 2);

    map.insert("apple", 150, HOUR);

    MockClock::advance(HOUR - TICK);
    assert_eq!(map.get("apple"), Some(150));
    MockClock::advance(TICK);
    assert_eq!(map.get("apple"), None);
}

#[test]
fn the_time_begins_at_the_insert_even_if_nobody_used_the_map_before() {
    let map = ExpiringMap::new(Mocked::new());
    MockClock::advance(DAY);

    map.insert("apple", 120, HOUR);

    assert_eq!(map.get("apple"), Some(120));
}

#[test]
fn a_wall_clock_that_is_set_back_keeps_no_entry() {
    let map = ExpiringMap::new(Mocked::new());
    map.insert("apple", 120, HOUR);

    MockClock::set_system_time(MONDAY - DAY);
    MockClock::advance(HOUR - TICK);
    assert_eq!(map.get("apple"), Some(120));
    MockClock::advance(TICK);
    assert_eq!(map.get("apple"), None);
}

#[test]
fn a_wall_clock_that_is_set_forward_ends_no_entry() {
    let map = ExpiringMap::new(Mocked::new());
    map.insert("apple", 120, HOUR);

    MockClock::set_system_time(MONDAY + DAY);

    assert_eq!(map.get("apple"), Some(120));
}

#[test]
fn the_time_of_the_insert_is_what_the_wall_clock_told_then() {
    let map = ExpiringMap::new(Mocked::new());
    map.insert("apple", 120, HOUR);

    MockClock::advance(MINUTE);
    MockClock::set_system_time(MONDAY - DAY);

    assert_eq!(map.inserted_at("apple"), Some(UNIX_EPOCH + MONDAY));
}

#[test]
fn the_length_counts_the_entries_that_can_still_be_read() {
    let map = ExpiringMap::new(Mocked::new());
    map.insert("apple", 120, HOUR);
    map.insert("pear", 90, 2 * HOUR);
    assert_eq!(map.len(), 2);

    MockClock::advance(HOUR);
    assert_eq!(map.len(), 1);
    MockClock::advance(HOUR);
    assert!(map.is_empty());
}

#[tokio::test(start_paused = true)]
async fn on_tokios_clock_too_an_entry_of_an_hour_ends_after_an_hour() {
    let map = ExpiringMap::new(Paused);
    map.insert("apple", 120, HOUR);

    // Nothing waits here, so a jump does. tokio's timers count in milliseconds, its clock does not.
    tokio::time::advance(HOUR - TICK).await;
    assert_eq!(map.get("apple"), Some(120));
    tokio::time::advance(TICK).await;
    assert_eq!(map.get("apple"), None);
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_frees_what_is_over_although_the_map_is_busy() {
    let map = ExpiringMap::new(Paused);
    let value = Arc::new(120);
    let _sweeper = map.start_sweeper(MINUTE);
    map.insert("apple", Arc::clone(&value), HOUR);

    for _ in 0..62 {
        map.insert("pear", Arc::new(90), HOUR);
        pass(MINUTE / 2).await;
        map.insert("pear", Arc::new(90), HOUR);
        pass(MINUTE / 2).await;
    }

    assert_eq!(Arc::strong_count(&value), 1, "the map holds a value a minute after its end");
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_frees_nothing_that_can_still_be_read() {
    let map = ExpiringMap::new(Paused);
    let _sweeper = map.start_sweeper(MINUTE);
    map.insert("apple", 120, HOUR);

    pass(HOUR - SECOND).await;

    assert_eq!(map.get("apple"), Some(120));
}

#[tokio::test(start_paused = true)]
async fn a_sweeper_asks_the_clock_of_the_map_what_is_over() {
    let map = ExpiringMap::new(Mocked::new());
    let value = Arc::new(120);
    let _sweeper = map.start_sweeper(MINUTE);
    map.insert("apple", Arc::clone(&value), HOUR);

    pass(DAY).await;
    assert_eq!(map.get("apple"), Some(Arc::clone(&value)), "its clock stood still");

    MockClock::advance(HOUR);
    pass(MINUTE + SECOND).await;
    assert_eq!(Arc::strong_count(&value), 1, "its clock says that the hour is over");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_sweeper_holds_no_value() {
    let map = ExpiringMap::new(Paused);
    let value = Arc::new(120);
    let sweeper = map.start_sweeper(MINUTE);
    map.insert("apple", Arc::clone(&value), HOUR);

    drop((sweeper, map));
    pass(SECOND).await;

    assert_eq!(Arc::strong_count(&value), 1, "somebody holds the map");
}
