//! The finished tests, to compare with yours. Each collects what is wrong, so that a failure says all of it.

use serde_json::Value;
use task10_ci_workflow::{Job, Step, Workflow, workflow};

/// Nothing of this was found.
const NONE: Vec<String> = Vec::new();

#[test]
fn every_push_and_every_pull_request_starts_it() {
    let triggers = workflow().triggers;

    for event in ["push", "pull_request"] {
        let is_unfiltered = match &triggers {
            Value::String(only) => only == event,
            Value::Array(events) => events.iter().any(|it| it == event),
            // An object without keys filters nothing either.
            events => events
                .get(event)
                .is_some_and(|filters| filters.as_object().is_none_or(|it| it.is_empty())),
        };
        assert!(is_unfiltered, "{event} in {triggers}");
    }
}

#[test]
fn every_job_ends_after_ten_minutes() {
    let workflow = workflow();
    let without =
        workflow.jobs.iter().filter(|(_, job)| job.timeout_minutes.is_none_or(|it| it > 10.0));

    assert_eq!(without.map(|(id, _)| id).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn no_job_may_write() {
    let workflow = workflow();
    let may_write = |job: &Job| match job.permissions.as_ref().or(workflow.permissions.as_ref()) {
        None => true,
        Some(Value::String(all)) => all != "read-all",
        Some(Value::Object(each)) => each.values().any(|level| level == "write"),
        Some(_) => true,
    };
    let writers = workflow.jobs.iter().filter(|(_, job)| may_write(job));

    assert_eq!(writers.map(|(id, _)| id).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_action_is_a_commit_with_its_version_beside_it() {
    let text = workflow().text;
    let uses: Vec<&str> = text.lines().filter(|line| line.contains("uses:")).collect();

    assert!(!uses.is_empty());
    for line in uses {
        let (action, version) = line.split_once('#').unwrap_or((line, ""));
        let commit = action.split_once('@').map_or("", |(_, commit)| commit.trim());
        assert_eq!(commit.len(), 40, "{line}");
        assert!(commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{line}");
        assert!(version.contains(|digit: char| digit.is_ascii_digit()), "no version: {line}");
    }
}

#[test]
fn every_job_that_calls_cargo_restores_what_was_built() {
    for (id, job) in &workflow().jobs {
        if !job.steps.iter().any(|step| script(step).contains("cargo")) {
            continue;
        }
        let first = job.steps.iter().position(|step| step.run.is_some()).unwrap();
        let restores = |step: &Step| {
            let path = step.with.get("path").and_then(Value::as_str).unwrap_or_default();
            let is_cargos = path.contains("target") || path.contains("~/.cargo");
            uses(step, "Swatinem/rust-cache") || uses(step, "actions/cache") && is_cargos
        };
        assert!(job.steps[..first].iter().any(restores), "{id} builds everything each time");
    }
}

#[test]
fn images_are_restored_as_long_as_the_same_ones_are_wanted() {
    let workflow = workflow();
    let mut found = 0;
    for (id, job) in &workflow.jobs {
        let set_up = job.steps.iter().position(|step| script(step).contains("cargo course setup"));
        let Some(set_up) = set_up else { continue };
        let key = |step: &Step| step.with.get("key").and_then(Value::as_str).map(str::to_owned);
        let caches = job.steps[..set_up].iter().filter(|step| uses(step, "actions/cache"));
        let keys: Vec<String> = caches.filter_map(key).collect();
        let is_right = |key: &&String| {
            key.contains("hashFiles('shared/src/images.rs')")
                && key.matches("hashFiles").count() == 1
        };
        assert_eq!(keys.iter().filter(is_right).count(), 1, "{id}: {keys:?}");
        found += 1;
    }
    assert!(found > 0, "no job sets servers up");
}

#[test]
fn both_tiers_run() {
    let workflow = workflow();
    let lines: Vec<&str> = steps(&workflow).flat_map(|(_, step)| script(step).lines()).collect();

    let plain =
        |line: &&str| line.contains("cargo test --workspace") && !line.contains("--features");
    assert!(lines.iter().any(plain), "{lines:?}");
    let real = |line: &&str| {
        line.contains("cargo course shard") && line.contains("--features integration")
    };
    assert!(lines.iter().any(real), "{lines:?}");
}

#[test]
fn a_test_that_fails_fails_its_job() {
    let workflow = workflow();
    let goes_on = |value: &Value| !(value.is_null() || value == &Value::Bool(false));
    let jobs = workflow.jobs.iter().filter(|(_, job)| goes_on(&job.continue_on_error));
    let mut wrong: Vec<String> = jobs.map(|(id, _)| format!("{id} goes on")).collect();

    for (id, step) in steps(&workflow) {
        let tests = ["cargo test", "cargo course shard", "cargo course dev"];
        let is_test = tests.iter().any(|command| script(step).contains(command));
        let has_pipe = script(step).replace("||", "").contains('|');
        if goes_on(&step.continue_on_error) {
            wrong.push(format!("{id} goes on after {step:?}"));
        }
        if script(step).contains("|| true") {
            wrong.push(format!("{id} ignores an exit code in {step:?}"));
        }
        if has_pipe && step.shell.as_deref() != Some("bash") {
            wrong.push(format!("{id} ignores the first program of a pipe in {step:?}"));
        }
        if is_test && step.condition.is_some() {
            wrong.push(format!("{id} does not always test: {step:?}"));
        }
    }

    assert_eq!(wrong, NONE);
}

#[test]
fn the_report_is_kept_of_a_run_that_failed_too() {
    let workflow = workflow();
    let uploads: Vec<&Step> = steps(&workflow)
        .map(|(_, step)| step)
        .filter(|step| uses(step, "actions/upload-artifact"))
        .collect();

    for file in ["junit.xml", "report.html"] {
        let keeps = |step: &&&Step| {
            let with = |key: &str| step.with.get(key).and_then(Value::as_str).unwrap_or_default();
            with("path").contains(file) && with("if-no-files-found") == "error"
        };
        let step = uploads.iter().find(keeps).unwrap_or_else(|| panic!("{file} in {uploads:?}"));
        let condition = step.condition.as_deref().unwrap_or("success()");
        let after_failure = ["!cancelled()", "always()", "failure()"];
        assert!(after_failure.iter().any(|it| condition.contains(it)), "{step:?}");
    }
}

#[test]
fn no_script_contains_what_a_stranger_chooses() {
    let workflow = workflow();
    let compact = |step: &Step| script(step).replace("${{ ", "${{");
    let open = steps(&workflow).filter(|(_, step)| compact(step).contains("${{github."));

    assert_eq!(open.map(|(id, step)| format!("{id}: {step:?}")).collect::<Vec<_>>(), NONE);
}

#[test]
fn no_checkout_leaves_the_token_behind() {
    let workflow = workflow();
    let checkouts = steps(&workflow).filter(|(_, step)| uses(step, "actions/checkout"));
    let keeps = |step: &Step| step.with.get("persist-credentials") != Some(&Value::Bool(false));
    let wrong = checkouts.filter(|(_, step)| keeps(step));

    assert_eq!(wrong.map(|(id, _)| id.to_owned()).collect::<Vec<_>>(), NONE);
}

fn steps(workflow: &Workflow) -> impl Iterator<Item = (&str, &Step)> {
    workflow.jobs.iter().flat_map(|(id, job)| job.steps.iter().map(move |step| (id.as_str(), step)))
}

fn script(step: &Step) -> &str {
    step.run.as_deref().unwrap_or_default()
}

fn uses(step: &Step, action: &str) -> bool {
    step.uses.as_deref().is_some_and(|it| it.split('@').next() == Some(action))
}
