//! The jobs as GitHub starts them: one for each value of a matrix.

use std::collections::BTreeMap;

use serde_json::Value;
use task10_ci_workflow::{Step, Workflow};
use task14_shard::{Shard, split};

use crate::Test;

/// A job that was started, with the values of its matrix in the place of the expressions.
#[derive(Clone, Debug)]
pub struct Started {
    /// The id of the job, such as `integration`.
    pub job: String,
    /// The steps. In scripts, the variables of the step have their values, too.
    pub steps: Vec<Step>,
}

/// Returns the jobs that GitHub starts for a workflow.
///
/// A matrix may have one variable, with a list of values. Of the expressions, `matrix.…`,
/// `strategy.job-index`, `strategy.job-total` and `github.run_id` get their values.
pub fn started(workflow: &Workflow) -> Vec<Started> {
    let mut all = Vec::new();
    for (id, job) in &workflow.jobs {
        let matrix = job.strategy["matrix"].as_object();
        let variable = matrix.and_then(|matrix| matrix.iter().next());
        let values = variable.and_then(|(_, values)| values.as_array()).cloned();
        let values = values.unwrap_or_else(|| vec![Value::Null]);
        for (index, value) in values.iter().enumerate() {
            let mut known = BTreeMap::from([
                ("strategy.job-index".to_owned(), index.to_string()),
                ("strategy.job-total".to_owned(), values.len().to_string()),
                ("github.run_id".to_owned(), "4242".to_owned()),
            ]);
            if let Some((name, _)) = variable {
                known.insert(format!("matrix.{name}"), text(value));
            }
            let steps = job.steps.iter().map(|step| filled(step, &known)).collect();
            all.push(Started { job: id.clone(), steps });
        }
    }
    all
}

impl Started {
    /// Returns the names of the tests that this job runs in the integration tier, in the order of
    /// the suite. A test that the job runs twice is there twice.
    ///
    /// Two commands are known: `cargo course shard 1/2 --by test`, or by package without `--by
    /// test`, and `cargo nextest run --partition hash:1/2`. Both need `--features integration`.
    pub fn tests(&self, suite: &[Test]) -> Vec<String> {
        let scripts = self.steps.iter().filter_map(|step| step.run.as_deref());
        let commands =
            scripts.flat_map(str::lines).filter(|it| it.contains("--features integration"));
        commands.flat_map(|command| tests_of(command, suite)).collect()
    }

    /// Returns the names under which this job keeps files by `actions/upload-artifact`.
    pub fn artifacts(&self) -> Vec<String> {
        let is_upload = |step: &&Step| {
            step.uses.as_deref().is_some_and(|it| it.starts_with("actions/upload-artifact@"))
        };
        let name = |step: &Step| step.with.get("name").map_or("artifact".to_owned(), text);
        self.steps.iter().filter(is_upload).map(name).collect()
    }
}

fn tests_of(command: &str, suite: &[Test]) -> Vec<String> {
    let words: Vec<&str> = command.split_whitespace().map(|word| word.trim_matches('"')).collect();
    let after = |start: &[&str]| {
        let at = words.windows(start.len()).position(|window| window == start)?;
        words.get(at + start.len()).copied()
    };
    let (shard, by_test) = match after(&["cargo", "course", "shard"]) {
        Some(shard) => (shard, after(&["--by"]) == Some("test")),
        None if after(&["cargo", "nextest", "run"]).is_some() => {
            let hash = after(&["--partition"]).and_then(|it| it.strip_prefix("hash:"));
            (hash.unwrap_or("1/1"), true)
        }
        None => return Vec::new(),
    };
    // What is no shard is refused, and nothing runs.
    let Ok(shard) = shard.parse::<Shard>() else { return Vec::new() };
    let key = |test: &Test| if by_test { test.name.clone() } else { test.package.to_owned() };
    let keys: Vec<String> = suite.iter().map(key).collect();
    let mut lists = split(&keys, shard.of()).expect("a shard is never one of 0");
    let ours = lists.swap_remove(usize::from(shard.number()) - 1);
    suite.iter().filter(|test| ours.contains(&key(test))).map(|test| test.name.clone()).collect()
}

fn filled(step: &Step, known: &BTreeMap<String, String>) -> Step {
    let mut step = step.clone();
    let fill = |value: &mut Value| {
        if let Value::String(text) = value {
            *text = expanded(text, known);
        }
    };
    step.with.values_mut().for_each(fill);
    step.env.values_mut().for_each(fill);
    if let Some(script) = &mut step.run {
        *script = expanded(script, known);
        for (name, value) in &step.env {
            let value = text(value);
            *script = script
                .replace(&format!("${{{name}}}"), &value)
                .replace(&format!("${name}"), &value);
        }
    }
    step
}

/// The text with the values of the expressions that are known.
fn expanded(text: &str, known: &BTreeMap<String, String>) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{{ {name} }}}}"), value)
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
