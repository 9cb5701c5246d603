//! The finished check of task 09, to compare with yours: a list by label, a sweep by label, and the suites that they judge.

use std::time::Duration;

use task09_cleanup_leaks::{End, Kind, Ran, Thing, leak, remove, run, things};
use testenv::wait;

/// What R1 to R3 grant; a suite is removed in milliseconds, and a busy machine takes a hundred times that.
const LIMIT: Duration = Duration::from_secs(2);

#[test]
fn a_leak_is_listed_by_its_label_and_a_sweep_leaves_nothing_of_it() {
    let ran = leak();

    assert_eq!(sorted(leaks(ran.label())), sorted(ran.made().to_vec()));
    sweep(ran.label());

    assert_eq!(leaks(ran.label()), Vec::<String>::new());
    assert_eq!(still_there(ran.others()), ran.others());
}

#[test]
fn a_suite_that_passed_leaves_nothing() {
    assert_nothing_is_left(&run(End::Pass));
}

#[test]
fn a_suite_that_failed_leaves_nothing() {
    assert_nothing_is_left(&run(End::Panic));
}

#[test]
fn a_suite_that_called_exit_leaves_nothing() {
    assert_nothing_is_left(&run(End::Exit));
}

#[test]
fn a_suite_that_was_killed_leaves_nothing() {
    assert_nothing_is_left(&run(End::Kill));
}

#[test]
fn what_others_made_outlives_a_suite() {
    let ran = run(End::Pass);

    wait_for_the_end(&ran);

    assert_eq!(still_there(ran.others()), ran.others());
}

/// The names of everything that carries exactly this label: servers, running or not, networks and volumes.
fn leaks(label: &str) -> Vec<String> {
    labelled(label).into_iter().map(|thing| thing.name).collect()
}

/// Removes everything that carries this label, and nothing else. Servers first: what one uses cannot be removed.
fn sweep(label: &str) {
    let mut found = labelled(label);
    found.sort_by_key(|thing| thing.kind != Kind::Server);
    for thing in found {
        remove(&thing).unwrap_or_else(|refusal| panic!("{thing} stays: {refusal}"));
    }
}

fn labelled(label: &str) -> Vec<Thing> {
    things().into_iter().filter(|thing| thing.label.as_deref() == Some(label)).collect()
}

/// Which of these are there, whatever their label says.
fn still_there(names: &[String]) -> Vec<String> {
    let there: Vec<String> = things().into_iter().map(|thing| thing.name).collect();
    names.iter().filter(|name| there.contains(name)).cloned().collect()
}

#[track_caller]
fn assert_nothing_is_left(ran: &Ran) {
    wait_for_the_end(ran);

    assert_eq!(still_there(ran.made()), Vec::<String>::new(), "gone by its label, but not gone");
}

/// Waits until the list of leaks is empty.
#[track_caller]
fn wait_for_the_end(ran: &Ran) {
    let ended = wait::until_blocking(LIMIT, "the end of the suite's leaks", || {
        let left = leaks(ran.label());
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    });
    ended.unwrap();
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
