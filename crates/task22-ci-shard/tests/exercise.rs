//! Your tests of a workflow that shares a suite. The README lists the requirements; `cargo course check task22` says which wrong workflows get past them.

use task22_ci_shard::{started, workflow};

/// A beginning: some job is started. Which tests does it run?
#[test]
fn jobs_are_started() {
    assert!(!started(&workflow()).is_empty());
}

// Still to be written:
//   R1  started(…), and job.tests(&suite) of each: together they are the suite
//   R2  workflow().jobs["integration"]: strategy, needs
//   R3  job.artifacts() of each started job
//   R4  conclusion(&workflow, &[("plain", "failure")]), and every other job with every other end
//   R5  test.took: the slowest job, and the whole suite
