//! The job `all`, of which a rule of the repository asks that it has succeeded.

use std::process::{Command, Stdio};

use serde_json::Value;
use task10_ci_workflow::{Job, Step, Workflow};

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Every step succeeded.
    Success,
    /// A step failed.
    Failure,
    /// The job did not run. A rule that asks for the job is content with that.
    Skipped,
}

/// Returns how the job `all` ends if the jobs that it needs end with `results`: the id of a job and
/// `success`, `failure`, `cancelled` or `skipped`. A job that is not named there has succeeded.
///
/// The scripts of the job run in Bash, with the flags that GitHub gives it. Variables get the
/// results from `join(needs.*.result, ' ')`.
///
/// # Panics
///
/// If the workflow has no such job, or there is no Bash.
pub fn conclusion(workflow: &Workflow, results: &[(&str, &str)]) -> Conclusion {
    let job = workflow.jobs.get("all").unwrap_or_else(|| panic!("the workflow has no job `all`"));
    let result = |needed: &String| {
        let known = results.iter().find(|(id, _)| id == needed);
        known.map_or("success", |(_, result)| *result)
    };
    let of_needed: Vec<&str> = needs(job).iter().map(result).collect();
    let is_always = job.condition.as_deref().is_some_and(|it| it.contains("always()"));
    if !is_always && of_needed.iter().any(|result| *result != "success") {
        return Conclusion::Skipped;
    }
    let passes = |step: &Step| step.run.is_none() || run(step, &of_needed.join(" "));
    if job.steps.iter().all(passes) { Conclusion::Success } else { Conclusion::Failure }
}

fn needs(job: &Job) -> Vec<String> {
    match &job.needs {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn run(step: &Step, results: &str) -> bool {
    let flags: &[&str] = match step.shell.as_deref() {
        None => &["-e"],
        Some("bash") => &["--noprofile", "--norc", "-eo", "pipefail"],
        Some(own) => &own.split_whitespace().skip(1).filter(|it| *it != "{0}").collect::<Vec<_>>(),
    };
    let mut bash = Command::new("bash");
    bash.args(flags).arg("-c").arg(step.run.as_deref().unwrap_or_default());
    for (name, value) in &step.env {
        let value = value.as_str().unwrap_or_default();
        bash.env(name, value.replace("${{ join(needs.*.result, ' ') }}", results));
    }
    bash.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    bash.status().unwrap_or_else(|error| panic!("there is no Bash: {error}")).success()
}
