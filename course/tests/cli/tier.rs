//! A task whose tests exist only on real servers: it is built, graded and shown with the feature `integration`.

use crate::workspace::{SOLUTION, Said, Workspace, gated};

#[test]
fn a_task_of_the_integration_tier_is_graded_with_its_feature() {
    let workspace = Workspace::with_a_real_tier("");
    workspace.exercise(&gated(SOLUTION));

    let said = workspace.course(&["check", "sum"]);

    said.says(0, &["accepted the right program", "task01-sum: 2/2 faults caught"]);
}

#[test]
fn a_task_of_the_integration_tier_is_proved_with_its_feature() {
    let said = Workspace::with_a_real_tier("").course(&["dev", "check", "sum"]);

    said.says(0, &["task01-sum: sound"]);
    assert_eq!(
        said.last_line(),
        "1 tasks, 2 of 2 faults caught, 1 of 1 variants accepted, 2 of 2 solution tests useful"
    );
}

#[test]
fn the_commands_to_type_name_the_feature() {
    let workspace = Workspace::with_a_real_tier("");

    workspace
        .course(&[])
        .says(0, &["run    cargo test -p task01-sum --features integration --test exercise"]);
    workspace.course(&["hint"]).says(0, &["HINT-OF-MINUS"]);
    let see_it =
        "COURSE_FAULT=minus cargo test -p task01-sum --features integration --test exercise";
    workspace.course(&["hint"]).says(0, &[see_it]);

    workspace.exercise(&gated("#[test] fn never() { panic!(\"no\") }"));
    let again = "again: cargo test -p task01-sum --features integration --test exercise -- --test-threads=4";
    workspace.course(&["check", "sum"]).says(1, &[again]);
}

#[test]
fn a_server_that_cannot_be_had_is_named_before_anything_is_built() {
    let workspace = Workspace::with_a_real_tier("\"kafka\"");
    workspace.exercise(&gated("does not compile"));
    for words in [&["check", "sum"][..], &["dev", "check", "sum"]] {
        let mut command = workspace.command(words);
        // Kafka has no native way, so this machine cannot serve it, whatever is installed.
        command.env("TESTENV_PROVIDER", "native").env_remove("TESTENV_KAFKA_BROKERS");

        let said = Said::of(&command.output().unwrap());

        said.says(2, &["no kafka server for the integration tier", "to fix: "]);
        said.hides("does not compile");
    }
}

#[test]
fn a_tier_without_its_feature_is_refused() {
    let workspace = Workspace::with_a_real_tier("");
    let manifest = "crates/task01-sum/Cargo.toml";
    workspace.write(manifest, &workspace.read(manifest).replace("integration = []", ""));

    workspace.course(&["check", "sum"]).says(
        2,
        &[
            "crates/task01-sum/faults.toml: its tier is `integration`",
            "to fix: write under [features]",
        ],
    );
}
