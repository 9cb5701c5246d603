//! What is printed about failed tests: once per test, after the runner's own summary.

use super::{Failed, Told};
use crate::current_test;
use crate::provider;

/// Prints where to look and what to type, one paragraph for each test and service.
pub(super) fn say(failed: &[Failed]) {
    let mut said: Vec<(&str, &str)> = Vec::new();
    let has_object = |test: &str| failed.iter().any(|(left, _)| left.test == test && !left.is_note);
    for (left, is_sure) in failed {
        // The command beside a database has the note's variables too.
        if left.is_note && has_object(&left.test) {
            continue;
        }
        let key = (left.service, left.test.as_str());
        if said.contains(&key) {
            continue;
        }
        said.push(key);
        let of_test = failed.iter().filter(|(left, _)| (left.service, left.test.as_str()) == key);
        let told: Vec<Told> = of_test.map(|(left, _)| left.evidence.told()).collect();
        let of_test = failed.iter().filter(|(other, _)| other.test == left.test);
        let mut vars: Vec<String> =
            of_test.filter_map(|(left, _)| left.evidence.again_with()).collect();
        vars.dedup();
        provider::announce(left.service, &paragraph(&left.test, *is_sure, &told, &vars));
    }
}

fn paragraph(test: &str, is_sure: bool, told: &[Told], vars: &[String]) -> String {
    let verdict =
        if is_sure { "failed" } else { "may have failed, because a test of this process failed" };
    let stays = told.first().map_or("", |told| told.stays.as_str());
    let mut text = format!("{test} {verdict}. Its {stays}:");
    for open in told.iter().filter_map(|told| told.open.as_ref()) {
        text += &format!("\n  look at it: {open}");
    }
    let mut said = Vec::new();
    for more in told.iter().flat_map(|told| &told.more) {
        if !said.contains(&more) {
            text += &format!("\n  {more}");
            said.push(more);
        }
    }
    text + &format!("\n  run it again: {}", current_test::again(test, vars))
}
