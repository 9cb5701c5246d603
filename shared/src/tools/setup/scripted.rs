//! Programs that a script provides.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Setup, Tool};
use crate::cure::command;
use crate::tools::steps::step;
use crate::{Error, Heading};

/// Some programs to fetch and a small one to build: 20 s on two cores.
const LIMIT: Duration = Duration::from_mins(10);

/// Programs that a script puts into a folder, called as `script folder`.
#[derive(Debug)]
pub struct Scripted<'a> {
    /// The script. When its text has changed, it runs again.
    pub script: &'a Path,
    /// The folder, which belongs to the script.
    pub folder: &'a Path,
    /// What the script calls.
    pub needs: &'a [Tool],
    /// The programs, and what they are needed for, in words.
    pub what: &'a str,
    /// The arguments of this program that run the script.
    pub cure: &'a str,
}

impl Setup {
    /// Runs a script, if it has not run to its end before.
    ///
    /// # Errors
    ///
    /// When the script fails, or the folder cannot be written.
    pub fn scripted(&mut self, programs: &Scripted<'_>) -> Result<(), Error> {
        let Scripted { script, folder, needs, what, cure } = programs;
        let unreadable = |cause| {
            Error::under(Heading::Setup, format!("cannot read {}", script.display())).cause(cause)
        };
        let text = std::fs::read(script).map_err(unreadable)?;
        // The last thing that is written there.
        let made_by = folder.join("made-by");
        if std::fs::read(&made_by).is_ok_and(|made_by| made_by == text) {
            return Ok(());
        }
        if self.installer.is_none() {
            self.gaps.push(
                Error::under(Heading::Setup, format!("{what}, not fetched yet")).fix(command(cure)),
            );
            return Ok(());
        }
        self.tools(needs, false, &format!("for {what}"))?;
        let unwritable = |cause| {
            Error::under(Heading::Setup, format!("cannot write to {}", folder.display()))
                .cause(cause)
                .fix("make room there, or correct its rights")
        };
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(unwritable)?;
        }
        let mut run = Command::new(script);
        step(&format!("providing {what}"), run.arg(folder), LIMIT)?.map_err(|words| {
            Error::under(Heading::Setup, format!("{} failed", script.display()))
                .cause(words)
                .fix(command(cure))
        })?;
        std::fs::write(made_by, text).map_err(unwritable)?;
        self.done += 1;
        Ok(())
    }
}
