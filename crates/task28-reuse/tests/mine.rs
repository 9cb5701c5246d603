//! The promises of your `Mine`, shown by the checks of the finished suite. `cargo course check task28` runs them beside yours.
#![cfg(feature = "integration")]
#![allow(unreachable_pub, reason = "a learner may write `pub` where this file needs less")]

#[path = "exercise.rs"]
mod exercise;
#[path = "solution.rs"]
mod solution;

use exercise::Mine;

#[tokio::test]
async fn a_second_run_finds_the_server_and_has_its_first_answer_within_100_ms() {
    solution::find_again::<Mine>().await;
}

#[tokio::test]
async fn another_image_other_settings_or_another_version_is_another_server() {
    solution::tell_apart::<Mine>().await;
}

#[tokio::test]
async fn two_runs_that_begin_together_start_one_server() {
    solution::start_once::<Mine>().await;
}

#[tokio::test]
async fn a_run_that_is_killed_while_it_starts_the_server_holds_nobody_up() {
    solution::outlive_a_killed_start::<Mine>().await;
}

#[tokio::test]
async fn a_server_that_was_stopped_or_is_silent_is_replaced_once() {
    solution::replace_what_is_dead::<Mine>().await;
}

#[tokio::test]
async fn under_ci_a_run_has_a_server_of_its_own_and_says_why() {
    solution::refuse_under_ci::<Mine>().await;
}

#[tokio::test]
async fn what_an_earlier_run_left_is_swept_and_what_a_living_one_has_is_not() {
    solution::begin_clean::<Mine>().await;
}

#[tokio::test]
async fn the_password_is_made_up_and_noted_for_its_owner_only() {
    solution::keep_it_secret::<Mine>().await;
}
