//! A workflow as GitHub reads it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// A workflow. What a workflow may leave out is `None`, or [`Value::Null`].
#[derive(Clone, Debug)]
pub struct Workflow {
    /// The text. Only the text has the comments.
    pub text: String,
    /// What stands under `on`: what starts the workflow. A name, a list of names, or an object with
    /// a name for each key, and the filters of that event as its value.
    pub triggers: Value,
    /// The permissions of the jobs that have none of their own.
    pub permissions: Option<Value>,
    /// The jobs, by their ids.
    pub jobs: BTreeMap<String, Job>,
}

/// A job.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Job {
    /// The machine, such as `ubuntu-24.04`.
    #[serde(default)]
    pub runs_on: Value,
    /// After so many minutes GitHub ends the job. Without a number, after 360.
    pub timeout_minutes: Option<f64>,
    /// The permissions of this job. They replace those of the workflow.
    pub permissions: Option<Value>,
    /// The jobs that have to end before, by their ids: a name, or a list of names.
    #[serde(default)]
    pub needs: Value,
    /// When the job runs. Without a condition: if all jobs that it needs have succeeded.
    #[serde(rename = "if")]
    pub condition: Option<String>,
    /// The matrix, and whether a failure ends the other jobs of the matrix.
    #[serde(default)]
    pub strategy: Value,
    /// Whether the workflow passes although this job fails.
    #[serde(default)]
    pub continue_on_error: Value,
    /// The steps, in their order.
    #[serde(default)]
    pub steps: Vec<Step>,
    #[serde(default)]
    defaults: Value,
}

/// A step: it uses an action, or runs a script.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// The name, for people.
    pub name: Option<String>,
    /// The action with its version, such as `actions/cache@v5`.
    pub uses: Option<String>,
    /// What the action is told.
    #[serde(default)]
    pub with: BTreeMap<String, Value>,
    /// The script.
    pub run: Option<String>,
    /// The variables of the script.
    #[serde(default)]
    pub env: BTreeMap<String, Value>,
    /// The shell of the script: that of the step, of its job or of the workflow.
    ///
    /// GitHub runs `bash` with `-e` and with `pipefail`. Without any `shell`, it runs Bash with `-e`
    /// alone.
    pub shell: Option<String>,
    /// When the step runs. Without a condition: if all steps before it have succeeded.
    #[serde(rename = "if")]
    pub condition: Option<String>,
    /// Whether the job goes on, and passes, although this step fails.
    #[serde(default)]
    pub continue_on_error: Value,
}

/// Why a text is not a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAWorkflow(String);

impl fmt::Display for NotAWorkflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a workflow: {}", self.0)
    }
}

impl std::error::Error for NotAWorkflow {}

#[derive(Deserialize)]
struct Raw {
    on: Value,
    permissions: Option<Value>,
    jobs: BTreeMap<String, Job>,
    #[serde(default)]
    defaults: Value,
}

impl Workflow {
    /// Reads a workflow.
    ///
    /// # Errors
    ///
    /// When the text is not YAML, or has no triggers or no jobs. The message says where.
    pub fn read(text: &str) -> Result<Workflow, NotAWorkflow> {
        let wrong = |why: &dyn fmt::Display| NotAWorkflow(why.to_string());
        if let Some(at) =
            text.lines().position(|line| line.trim_start_matches(' ').starts_with('\t'))
        {
            let line = at + 1;
            return Err(wrong(&format!("line {line} begins with a tab; YAML wants spaces")));
        }
        let value: Value = serde_saphyr::from_str(text).map_err(|error| wrong(&error))?;
        let raw: Raw = serde_json::from_value(value).map_err(|error| wrong(&error))?;
        let mut jobs = raw.jobs;
        for job in jobs.values_mut() {
            let shell = shell(&job.defaults).or_else(|| shell(&raw.defaults));
            for step in job.steps.iter_mut().filter(|step| step.shell.is_none()) {
                step.shell.clone_from(&shell);
            }
        }
        let (triggers, permissions) = (raw.on, raw.permissions);
        Ok(Workflow { text: text.to_owned(), triggers, permissions, jobs })
    }
}

fn shell(defaults: &Value) -> Option<String> {
    defaults["run"]["shell"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::Workflow;

    #[test]
    fn what_is_no_workflow_is_refused_with_the_place_and_the_reason() {
        let said = |text: &str| Workflow::read(text).map(|_| ()).unwrap_err().to_string();

        assert_eq!(
            said("on: push\njobs:\n\tall:\n"),
            "not a workflow: line 3 begins with a tab; YAML wants spaces"
        );
        assert!(
            said("").contains("missing field `on`") || said("").contains("null"),
            "{}",
            said("")
        );
        assert!(said("on: push\n").contains("missing field `jobs`"), "{}", said("on: push\n"));
        let cut = said("on: push\njobs: {all: {steps: [");
        assert!(cut.contains("line 2"), "{cut}");
        let number = said("on: push\njobs:\n  all:\n    timeout-minutes: soon\n");
        assert!(number.contains("soon"), "{number}");
    }

    #[test]
    fn a_step_has_the_shell_of_its_job_and_the_job_that_of_the_workflow() {
        let text = "
on: [push]
defaults: {run: {shell: bash}}
jobs:
  one:
    defaults: {run: {shell: sh}}
    steps: [{run: a}, {run: b, shell: pwsh}]
  other:
    steps: [{run: c}]
";
        let workflow = Workflow::read(text).unwrap();
        let shells = |job: &str| {
            let steps = workflow.jobs[job].steps.iter();
            steps.map(|step| step.shell.clone().unwrap()).collect::<Vec<_>>()
        };

        assert_eq!(shells("one"), ["sh", "pwsh"]);
        assert_eq!(shells("other"), ["bash"]);
        assert_eq!(workflow.triggers, serde_json::json!(["push"]));
    }
}
