//! Your tests of a workflow. The README lists the requirements; `cargo course check task10` says which wrong workflows get past them.

use task10_ci_workflow::workflow;

/// A beginning: there are jobs, and each of them does something.
#[test]
fn every_job_has_steps() {
    let workflow = workflow();

    assert!(!workflow.jobs.is_empty());
    for (id, job) in &workflow.jobs {
        assert!(!job.steps.is_empty(), "{id}");
    }
}

// Still to be written, a test a requirement:
//   R1   workflow.triggers, in each of its forms
//   R2   job.timeout_minutes
//   R3   job.permissions, else workflow.permissions
//   R4   the lines of workflow.text with `uses:`
//   R5   the steps before the first script of a job that calls cargo
//   R6   step.with["key"] of the cache before `cargo course setup`
//   R7   what the scripts call
//   R8   continue_on_error, condition, `|| true`, a pipe and its shell
//   R9   step.with of the upload, and its condition
//   R10  `${{ github.` in a script
//   R11  step.with of each checkout
