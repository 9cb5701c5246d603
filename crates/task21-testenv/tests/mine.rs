//! The promises of your `Mine`, shown by the checks of the finished suite. `cargo course check task21` runs them beside yours.
#![cfg(feature = "integration")]
#![allow(unreachable_pub, reason = "a learner may write `pub` where this file needs less")]

#[path = "exercise.rs"]
mod exercise;
#[path = "solution.rs"]
mod solution;

use exercise::Mine;

#[tokio::test]
async fn four_at_once_start_one_server_and_migrate_once() {
    solution::start_once::<Mine>().await;
}

#[tokio::test]
async fn two_at_a_time_are_migrated_and_see_nothing_of_each_other() {
    solution::are_private::<Mine>().await;
}

#[tokio::test]
async fn what_a_test_wrote_or_made_is_in_no_later_database() {
    solution::leave_no_trace::<Mine>().await;
}

#[tokio::test]
async fn a_dropped_database_is_gone_though_somebody_is_connected() {
    solution::are_removed::<Mine>().await;
}

#[tokio::test]
async fn a_database_can_be_dropped_where_there_is_no_runtime() {
    solution::drop_anywhere::<Mine>().await;
}
