//! `dev new`: writes the skeleton of a task, which is sound, and small enough to be replaced.

use std::process::ExitCode;

use testenv::Error;

use crate::say::{self, STRONG, paint};
use crate::tasks::Course;

/// Each file of the skeleton, by its path below the task's folder.
const FILES: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("../skeleton/manifest.toml")),
    ("README.md", include_str!("../skeleton/README.md")),
    ("faults.toml", include_str!("../skeleton/faults.toml")),
    ("src/lib.rs", include_str!("../skeleton/lib.rs")),
    ("tests/exercise.rs", include_str!("../skeleton/exercise.rs")),
    ("tests/solution.rs", include_str!("../skeleton/solution.rs")),
];

/// Writes the skeleton of the task with this number and this noun, and says what else a task needs.
pub(crate) fn new(course: &Course, number: u32, noun: &str) -> Result<ExitCode, Error> {
    let is_word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if !noun.split('-').all(is_word) {
        return Err(Error::new(format!("`{noun}` cannot be part of a package's name"))
            .cause("it is made of words of small letters and digits, with a hyphen between them")
            .fix(format!("cargo course dev new {number} rate-limit")));
    }
    let name = format!("task{number:02}-{noun}");
    if let Some(taken) = course.numbered(number) {
        return Err(Error::new(format!("there is a task {number}: {}", taken.name))
            .fix(format!("cargo course dev new {} {noun}", course.next_number())));
    }
    let Some(before) = course.before(number) else {
        return Err(Error::new("the first task has no skeleton: each lesson names the one before")
            .fix(format!("cargo course dev new {} {noun}", course.next_number())));
    };
    let dir = course.root.join("crates").join(&name);
    let unwritten = |cause| {
        Error::new(format!("the skeleton cannot be written to {}", dir.display()))
            .cause(cause)
            .fix(format!("see to its rights: ls -ld {}", say::quoted(dir.display())))
    };
    // One that exists is not written into.
    std::fs::create_dir(&dir).map_err(unwritten)?;
    for (path, text) in FILES {
        let path = dir.join(path);
        let folder = path.parent().unwrap_or(&dir);
        std::fs::create_dir_all(folder).map_err(unwritten)?;
        std::fs::write(&path, filled_in(text, number, &name, noun, &before.name))
            .map_err(unwritten)?;
    }
    say::out(format_args!("{} has a sound task of two faults:\n", say::short(&course.root, &dir)));
    say::out(format_args!(
        "  check  {}",
        paint(STRONG, format_args!("cargo course dev check {name}"))
    ));
    say::out("\nWhat else a task needs, as `cargo test -p course` says too:\n");
    say::out("  README.md  a row in the table of tasks");
    say::out(format_args!("  {}  a link to the next lesson, and its definition", before.name));
    say::out("  TESTING.md  its folder, if it has one that the others have not");
    Ok(ExitCode::SUCCESS)
}

fn filled_in(text: &str, number: u32, name: &str, noun: &str, before: &str) -> String {
    let before_number = before.strip_prefix("task").and_then(|rest| rest.split('-').next());
    text.replace("{number}", &format!("{number:02}"))
        .replace("{name}", name)
        .replace("{library}", &name.replace('-', "_"))
        .replace("{noun}", &noun.replace('-', " "))
        .replace("{before}", before)
        .replace("{before_number}", before_number.unwrap_or_default())
        .replace("{before_library}", &before.replace('-', "_"))
}
