//! The finished tests, to compare with yours.

use std::collections::BTreeSet;
use std::time::Duration;

use task22_ci_shard::{Conclusion, Started, Test, conclusion, started, suite, workflow};

#[test]
fn every_test_runs_in_exactly_one_job() {
    let suite = suite();
    let mut ran: Vec<String> = shards().iter().flat_map(|job| job.tests(&suite)).collect();
    let mut all: Vec<String> = suite.into_iter().map(|test| test.name).collect();

    ran.sort_unstable();
    all.sort_unstable();
    assert_eq!(ran, all);
}

#[test]
fn all_shards_start_at_once_and_none_ends_the_others() {
    let workflow = workflow();
    let job = &workflow.jobs["integration"];

    assert!(job.needs.is_null(), "it waits for {}", job.needs);
    assert_eq!(job.strategy["fail-fast"], false);
    let at_once = job.strategy["max-parallel"].as_u64().unwrap_or(u64::MAX);
    assert!(at_once >= shards().len() as u64, "{at_once} at once");
}

#[test]
fn each_shard_keeps_its_report_under_a_name_of_its_own() {
    let names: Vec<String> = shards().iter().flat_map(Started::artifacts).collect();
    let different: BTreeSet<&String> = names.iter().collect();

    assert_eq!(names.len(), shards().len(), "a report for each shard: {names:?}");
    assert_eq!(different.len(), names.len(), "{names:?}");
}

#[test]
fn the_gate_passes_if_every_job_has_succeeded() {
    assert_eq!(conclusion(&workflow(), &[]), Conclusion::Success);
}

#[test]
fn the_gate_fails_if_any_job_has_not_succeeded() {
    let workflow = workflow();
    for id in workflow.jobs.keys().filter(|id| *id != "all") {
        for end in ["failure", "cancelled", "skipped"] {
            assert_eq!(conclusion(&workflow, &[(id, end)]), Conclusion::Failure, "{id}: {end}");
        }
    }
}

#[test]
fn the_slowest_shard_takes_at_most_three_fifths_of_the_whole() {
    let suite = suite();
    let took = |tests: &[String]| -> Duration {
        let of_these = suite.iter().filter(|test: &&Test| tests.contains(&test.name));
        of_these.map(|test| test.took).sum()
    };
    let whole: Duration = suite.iter().map(|test| test.took).sum();
    let slowest = shards().iter().map(|job| took(&job.tests(&suite))).max().unwrap();

    assert!(slowest <= whole * 3 / 5, "{slowest:?} of {whole:?}");
}

/// The started jobs of the integration tier.
fn shards() -> Vec<Started> {
    started(&workflow()).into_iter().filter(|job| job.job == "integration").collect()
}
