//! `dev check`: the proof that tasks are sound.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use testenv::tools::SERVICES;

use crate::workspace::{SOLUTION, Said, Workspace};

#[test]
fn sound_tasks_are_counted_in_the_last_line() {
    let said = Workspace::new().course(&["dev", "check"]);

    said.says(0, &["task01-sum: sound", "task02-more: sound"]);
    assert_eq!(
        said.last_line(),
        "2 tasks, 4 of 4 faults caught, 2 of 2 variants accepted, 4 of 4 solution tests useful"
    );
}

#[test]
fn an_exercise_that_catches_and_a_solution_that_does_not_are_off() {
    let workspace = Workspace::new();
    workspace.exercise(SOLUTION);
    let idle = "#[test] fn idle() { assert_eq!(task01_sum::sum(0, 0), 0); }\n#[test] fn one_and_one_is_two() { assert_eq!(task01_sum::sum(1, 1), 2); }";
    workspace.write("crates/task01-sum/tests/solution.rs", idle);

    let said = workspace.course(&["dev", "check", "1"]);

    said.says(
        1,
        &[
            "the exercise already catches minus (by one_and_one_is_two",
            "the solution never runs the code of wraps",
            "the solution's test idle catches no fault",
        ],
    );
    assert_eq!(
        said.last_line(),
        "1 tasks, 1 of 2 faults caught, 1 of 1 variants accepted, 1 of 2 solution tests useful"
    );
}

#[test]
fn a_solution_that_refuses_a_variant_is_off() {
    let workspace = Workspace::new();
    workspace.write(
        "crates/task01-sum/tests/solution.rs",
        "#[test] fn small() { assert_eq!(task01_sum::name(1), \"a number\"); }",
    );

    let said = workspace.course(&["dev", "check", "sum"]);

    said.says(1, &["the solution of task01-sum refuses the variant capitals"]);
    assert_eq!(
        said.last_line(),
        "1 tasks, 0 of 2 faults caught, 0 of 1 variants accepted, 0 of 1 solution tests useful"
    );
}

#[test]
fn what_is_off_is_said_again_at_the_end_of_many_tasks() {
    let workspace = Workspace::new();
    workspace.write(
        "crates/task01-sum/tests/solution.rs",
        "#[test] fn small() { assert_eq!(task01_sum::name(1), \"a number\"); }",
    );

    let said = workspace.course(&["dev", "check"]);

    let (_, end) = said.out.split_once("task02-more: sound").expect("the last task is sound");
    assert!(end.contains("off: the solution of task01-sum refuses the variant capitals"), "{end}");
}

/// Programs that the lints need, or look for.
fn with_lints(workspace: &Workspace) {
    for program in ["cargo-deny", "chromium"] {
        workspace.write(&format!("bin/{program}"), "");
        let path = workspace.root().join("bin").join(program);
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
}

/// A script whose text has changed runs again, and one that failed is not taken for done.
#[test]
fn without_the_programs_that_check_workflows_the_cure_is_said() {
    let workspace = Workspace::new();
    with_lints(&workspace);
    workspace.write(".github/workflows/integration.yml", "on: push\n");
    workspace.write("course/lints/workflows", "#!/bin/sh\nexit 1\n");
    workspace.write("target/course/workflow-lints/made-by", "another script\n");
    let path =
        format!("{}:{}", workspace.root().join("bin").display(), std::env::var("PATH").unwrap());

    let said = Said::of(&workspace.command(&["dev", "lint"]).env("PATH", path).output().unwrap());

    said.says(1, &["missing: actionlint, zizmor", "to fix: cargo course dev lint --install"]);
}

#[test]
fn every_lint_runs_and_the_failed_ones_are_said_again_at_the_end() {
    let workspace = Workspace::new();
    workspace
        .write("cargo", "#!/bin/sh\necho \"$*\" >> calls\ncase $* in *kafka*) exit 1 ;; esac\n");
    with_lints(&workspace);
    workspace.write(".github/workflows/integration.yml", "on: push\n");
    workspace.write("course/lints/workflows", "");
    workspace.write("target/course/workflow-lints/made-by", "");
    for program in ["actionlint", "zizmor", "check-jsonschema"] {
        let path = format!("target/course/workflow-lints/bin/{program}");
        workspace.write(&path, "#!/bin/sh\ncase $0 in *zizmor) exit 14 ;; esac\n");
        let path = workspace.root().join(path);
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    let cargo = workspace.root().join("cargo");
    std::fs::set_permissions(&cargo, Permissions::from_mode(0o755)).unwrap();
    let path =
        format!("{}:{}", workspace.root().join("bin").display(), std::env::var("PATH").unwrap());
    let mut lint = workspace.command(&["dev", "lint"]);

    let said = Said::of(&lint.env("CARGO", cargo).env("PATH", path).output().unwrap());

    said.says(
        1,
        &[
            "format: passed",
            "clippy, no feature: passed",
            "clippy, kafka,integration: failed",
            "docs: passed",
            "workflows, actionlint: passed",
            "workflows, zizmor: failed",
            "failed: cargo clippy",
        ],
    );
    assert_eq!(said.last_line(), "failed: zizmor --offline --no-progress .", "{}", said.out);
    let calls = workspace.read("calls");
    assert_eq!(calls.lines().next(), Some("fmt --all --check"));
    assert!(calls.contains("\ndeny check bans licenses sources\n"), "{calls}");
    for service in SERVICES {
        let name = service.name;
        assert!(calls.contains(&format!("-p shared --features={name},integration ")), "{calls}");
    }
}
