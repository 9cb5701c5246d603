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

/// A test that does not reach a fault on the right program does on the wrong one what it does there.
#[test]
fn the_verdicts_are_those_of_all_tests() {
    Workspace::new().course(&["dev", "check", "--all-tests"]).says(0, &["task02-more: sound"]);

    // Nobody says of this test that it reaches `minus`.
    let workspace = Workspace::new();
    let spy = "#[test] fn spies() { assert_eq!(task01_sum::hidden(1, 1), 2); }";
    workspace.write("crates/task01-sum/tests/solution.rs", &format!("{SOLUTION}{spy}"));
    let subject = workspace.read("crates/task01-sum/src/lib.rs");
    let hidden = "pub fn hidden(a: i32, b: i32) -> i32 {
        let program = std::env::var(\"COURSE_PROGRAM\").unwrap().replace('/', \"/no\");
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        test.args([\"--exact\", \"one_and_one_is_two\"]).env_clear();
        test.env(\"COURSE_PROGRAM\", program);
        if test.status().unwrap().success() { a + b } else { 0 }
    }";
    workspace.write("crates/task01-sum/src/lib.rs", &format!("{subject}\n{hidden}\n"));

    workspace.course(&["dev", "check", "1", "--all-tests"]).says(
        1,
        &[
            "minus is caught by {\"one_and_one_is_two\", \"the_largest_number_stays\"}, ",
            "and of all tests by {\"one_and_one_is_two\", \"spies\"",
        ],
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

/// The workspace's packages inherit what the skeleton's does.
fn with_a_workspace_to_inherit_from(workspace: &Workspace) {
    let manifest = workspace.read("Cargo.toml");
    workspace.write(
        "Cargo.toml",
        &format!(
            "{manifest}[workspace.package]\nversion = \"0.1.0\"\nedition = \"2024\"\n\
            rust-version = \"1.85\"\nlicense = \"MIT\"\npublish = false\n\
            [workspace.dependencies]\nshared = {{ path = \"shared\" }}\n[workspace.lints]\n"
        ),
    );
    workspace.write(
        "shared/Cargo.toml",
        "[package]\nname = \"shared\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\nname = \"testenv\"\n",
    );
    let fault = workspace.read("crates/task01-sum/src/fault.rs");
    workspace.write("shared/src/fault.rs", &fault);
    workspace.write("shared/src/lib.rs", "#[allow(dead_code)]\npub mod fault;\n");
}

#[test]
fn a_new_task_is_sound_and_nothing_is_written_over() {
    let workspace = Workspace::new();
    with_a_workspace_to_inherit_from(&workspace);

    let said = workspace.course(&["dev", "new", "3", "rate-limit"]);

    said.says(
        0,
        &["crates/task03-rate-limit has a sound task", "cargo course dev check task03-rate-limit"],
    );
    workspace
        .course(&["dev", "check", "3"])
        .says(0, &["1 tasks, 2 of 2 faults caught", "2 of 2 solution tests useful"]);
    workspace.course(&["list"]).says(0, &["task03-rate-limit", "Task 03: rate limit"]);
    assert!(
        workspace
            .read("crates/task03-rate-limit/README.md")
            .contains("[before]: ../task02-more/README.md")
    );

    let readme = "crates/task03-rate-limit/README.md";
    workspace.write(readme, "mine");
    workspace
        .course(&["dev", "new", "3", "other"])
        .says(2, &["there is a task 3: task03-rate-limit", "dev new 4 other"]);
    assert_eq!(workspace.read(readme), "mine");
    workspace.write("crates/task04-taken/notes", "mine");
    workspace.course(&["dev", "new", "4", "taken"]).says(2, &["the skeleton cannot be written to"]);
    assert!(!workspace.root().join("crates/task04-taken/Cargo.toml").exists());
    for noun in ["Rate", "rate_limit", "-rate", "1st", ""] {
        workspace
            .course(&["dev", "new", "5", "--", noun])
            .says(2, &["cannot be part of a package's name", "to fix: "]);
    }
}

#[test]
fn the_cost_of_what_is_no_feature_is_refused() {
    let said = Workspace::new().course(&["dev", "costs", "mysql"]);

    said.says(2, &["'mysql'", "redis,integration"]);
}

#[test]
fn a_version_that_is_not_supported_is_refused() {
    let said = Workspace::new().course(&["dev", "versions", "13", "12"]);

    said.says(2, &["12 is not in 13..=18"]);
}

/// The workspace has no program that could fetch one.
#[test]
fn each_version_that_cannot_be_fetched_is_an_error_that_names_it() {
    let said = Workspace::new().course(&["dev", "versions", "13", "18"]);

    said.says(
        1,
        &[
            "PostgreSQL 13: it cannot be fetched",
            "PostgreSQL 18: it cannot be fetched",
            "failed: PostgreSQL 13, 18",
        ],
    );
}
