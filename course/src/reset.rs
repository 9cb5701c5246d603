//! `reset`: puts the learner's file back as it was given, and keeps a copy of the current one.

use std::path::Path;
use std::process::{Command, ExitCode};

use testenv::Error;

use crate::progress::{Notes, PROGRESS, VERDICTS};
use crate::say;
use crate::tasks::{Course, Task, text};

/// Puts the original exercise back. It comes from the commit that `from` names. Without `from`, it
/// comes from where the course was cloned (`origin/HEAD`), otherwise from the last commit.
pub(crate) fn reset(course: &Course, task: &Task, from: Option<&str>) -> Result<ExitCode, Error> {
    let path = task.exercise();
    let shown = say::short(&course.root, &path).to_string();
    let (reference, pristine) = pristine(&course.root, &shown, from)?;
    let notes = Notes::of(&course.root);
    match text(&path) {
        Ok(current) if current == pristine => {
            say::out(format_args!("{shown} is as it was given ({reference}): nothing to do"));
            return Ok(ExitCode::SUCCESS);
        }
        Ok(current) => {
            let saved = notes.save(&task.name, &current)?;
            say::out(format_args!("your file is kept as {}", say::short(&course.root, &saved)));
        }
        Err(_) if !path.exists() => {} // a file that is gone is no loss more
        Err(unreadable) => return Err(unreadable),
    }
    std::fs::write(&path, pristine).map_err(|e| {
        Error::new(format!("cannot write {shown}"))
            .cause(e)
            .fix(format!("see to its rights: ls -l {}", say::quoted(&shown)))
    })?;
    say::out(format_args!("{shown} is as it was given ({reference})"));
    notes.update(PROGRESS, |rows| drop(rows.remove(&task.name)))?;
    notes.update(VERDICTS, |rows| {
        rows.retain(|key, _| !key.starts_with(&format!("{}/", task.name)));
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The reference that has the file, and the text of the file there.
fn pristine(root: &Path, shown: &str, from: Option<&str>) -> Result<(String, String), Error> {
    let mut error = Error::new(format!("{shown} cannot be had as it was given"));
    let candidates = from.map_or(vec!["origin/HEAD", "HEAD"], |reference| vec![reference]);
    for reference in candidates {
        // `./`: from the folder of the workspace, wherever in its repository that is. `--end-of-options`: a reference is no option.
        let shown = format!("{reference}:./{shown}");
        let git = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(["show", "--no-textconv", "--end-of-options", &shown])
            .output();
        let git = git.map_err(|e| {
            Error::new("git cannot be run, and the file as it was given is in its history")
                .cause(e)
                .fix("install git")
        })?;
        if git.status.success() {
            let text = String::from_utf8(git.stdout)
                .map_err(|e| Error::new(format!("{shown} is no text")).cause(e))?;
            return Ok((reference.to_owned(), text));
        }
        let words = String::from_utf8_lossy(&git.stderr);
        error = error.tried(format!(
            "git show {}: {}",
            say::quoted(&shown),
            words.trim().lines().next().unwrap_or("no answer")
        ));
    }
    Err(error.fix("cargo course reset --from <commit or branch that has it>"))
}
