//! The lints of workflows, and the programs that do them. cargo's registry has none of these programs.

use std::path::PathBuf;
use std::process::Command;

use testenv::Error;
use testenv::tools::{Scripted, Setup};

use crate::tasks::Course;

/// The name of a lint, its program, and the program's arguments.
const CHECKS: [(&str, &str, &[&str]); 3] = [
    ("workflows, actionlint", "actionlint", &[]),
    ("workflows, zizmor", "zizmor", &["--offline", "--no-progress", "."]),
    (
        "workflows, schema",
        "check-jsonschema",
        &["--builtin-schema", "vendor.github-workflows", ".github/workflows/integration.yml"],
    ),
];

/// Provides the programs, if there are workflows.
pub(crate) fn provide(course: &Course, setup: &mut Setup) -> Result<(), Error> {
    if !has_workflows(course) {
        return Ok(());
    }
    setup.scripted(&Scripted {
        script: &course.root.join("course/lints/workflows"),
        folder: &folder(course),
        needs: &[("go", &["golang-go"]), ("pip3", &["python3-pip"])],
        what: "actionlint, zizmor and check-jsonschema, to check the workflows",
        cure: "dev lint --install",
    })
}

/// The lints: a name, a command and the command as text.
pub(crate) fn lints(course: &Course) -> Vec<(String, Command, String)> {
    let checks = CHECKS.iter().filter(|_| has_workflows(course));
    let lint = |&(name, program, arguments): &(&str, &str, &[&str])| {
        let mut command = Command::new(folder(course).join("bin").join(program));
        command.args(arguments).current_dir(&course.root);
        (name.to_owned(), command, [&[program], arguments].concat().join(" "))
    };
    checks.map(lint).collect()
}

fn has_workflows(course: &Course) -> bool {
    course.root.join(".github/workflows").is_dir()
}

fn folder(course: &Course) -> PathBuf {
    course.root.join("target/course/workflow-lints")
}
