//! The project that is documented: its files, and the commands of a reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use testenv::Error;

use crate::facts::{self, Failure, Setting, Tier, Tool};
use crate::{Document, specimen};

/// A small project with two documents.
///
/// ```
/// let project = task24_documentation::project();
///
/// assert_eq!(project.run("sh run test").code, Some(0));
/// assert!(project.has("TESTING.md"));
/// ```
#[derive(Debug)]
pub struct Project {
    files: BTreeMap<String, String>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code. `None` if a signal ended the command.
    pub code: Option<i32>,
    /// What the command printed.
    pub stdout: String,
    /// What the command printed as errors.
    pub stderr: String,
}

/// Returns the project to be judged.
pub fn project() -> Project {
    Project { files: specimen::selected() }
}

impl Project {
    /// Returns the documents, that is all files that end in `.md`.
    pub fn documents(&self) -> Vec<Document> {
        let documents = self.files.iter().filter(|(path, _)| path.ends_with(".md"));
        documents.map(|(path, text)| Document::read(path, text)).collect()
    }

    /// Runs a command with `sh`, in a fresh copy of the project. The copy is removed afterwards.
    ///
    /// The command has an empty environment but for `PATH`, and no input.
    ///
    /// # Panics
    ///
    /// If the copy cannot be written, or there is no `sh`. The message has the cure.
    pub fn run(&self, command: &str) -> Outcome {
        self.outcome(command).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Whether the project has this file or folder. The path begins at the project's root. Capital
    /// and small letters are different.
    pub fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.keys().any(|file| file == path || file.starts_with(&folder))
    }

    /// Returns the errors that the program can end with.
    pub fn errors(&self) -> Vec<Failure> {
        facts::failures(&self.files["run"], &self.files)
    }

    /// Returns the variables that the program reads.
    pub fn settings(&self) -> Vec<Setting> {
        facts::settings(&self.files["run"])
    }

    /// Returns the tiers of the tests.
    pub fn tiers(&self) -> Vec<Tier> {
        facts::tiers(&self.files["tests/tiers"])
    }

    /// Returns the tools that the project pins.
    pub fn tools(&self) -> Vec<Tool> {
        facts::tools(&self.files[".tool-versions"])
    }

    /// Returns the folders at the root of the project, such as `data/`.
    pub fn folders(&self) -> Vec<String> {
        facts::folders(&self.files)
    }

    fn outcome(&self, command: &str) -> Result<Outcome, Error> {
        let copy = tempfile::tempdir().map_err(|cause| unwritten(&cause))?;
        self.write(copy.path()).map_err(|cause| unwritten(&cause))?;
        let mut sh = Command::new("sh");
        sh.args(["-c", command]).current_dir(copy.path()).stdin(Stdio::null());
        sh.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        let output = sh.output().map_err(|cause| {
            Error::new("`sh` does not start").cause(cause).fix("PATH=/usr/bin:/bin cargo test")
        })?;
        Ok(Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn write(&self, root: &Path) -> std::io::Result<()> {
        for (path, text) in &self.files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("it is below the root"))?;
            fs::write(path, text)?;
        }
        Ok(())
    }
}

fn unwritten(cause: &std::io::Error) -> Error {
    Error::new("the copy of the project was not written")
        .cause(cause)
        .fix("TMPDIR=<a directory with room> cargo test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_brought_about_leads_to_its_explanation() {
        let project = project();
        assert_eq!(project.errors().len(), 4);

        for error in project.errors() {
            let failed = project.run(&format!("{}\n{}", error.setup, error.command));

            assert_eq!(failed.code, Some(1), "{error:?}: {failed:?}");
            let last = format!("  see TESTING.md#{}\n", error.anchor);
            assert!(failed.stderr.ends_with(&last), "{error:?}: {failed:?}");
        }
    }

    #[test]
    fn a_command_sees_nothing_of_the_one_before() {
        let project = project();

        assert_eq!(project.run("echo x >left; cat left").stdout, "x\n");
        assert_eq!(project.run("ls left").code, project.run("ls never").code);
    }

    #[test]
    fn a_setting_has_its_default_if_nobody_sets_it() {
        let port = "sh run up && cat .state/server";

        assert_eq!(project().run(port).stdout, "5544\n");
        assert_eq!(project().run(&format!("SHOP_PORT=1 {port}")).stdout, "1\n");
        let setting = &project().settings()[0];
        assert_eq!((setting.name.as_str(), setting.default.as_str()), ("SHOP_PORT", "5544"));
    }

    #[test]
    fn a_path_is_known_by_each_of_its_letters() {
        let project = project();

        assert!(project.has("docs/ARCHITECTURE.md") && project.has("docs"));
        assert!(!project.has("docs/Architecture.md") && !project.has("doc"));
    }
}
