//! What is true of the project. All of it is read from the project's files, never from a document.

use std::collections::{BTreeMap, BTreeSet};

/// A variable that the program reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Setting {
    /// Its name: `SHOP_PORT`.
    pub name: String,
    /// Its value if nobody sets it.
    pub default: String,
}

/// An error that the program can end with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The text.
    pub text: String,
    /// The part behind `TESTING.md#` of the last line, which leads to the explanation.
    pub anchor: String,
    /// A command that brings the error about.
    pub setup: String,
    /// The command that fails then, with this error.
    pub command: String,
}

/// A tier of the tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tier {
    /// Its name.
    pub name: String,
    /// The command that CI runs for it.
    pub command: String,
    /// The names of the tools that it needs.
    pub needs: Vec<String>,
}

/// A tool that the project pins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tool {
    /// Its name: `postgres`.
    pub name: String,
    /// The version: `16.4`.
    pub version: String,
}

/// Reads lines such as `: "${SHOP_PORT:=5544}"`.
pub(crate) fn settings(program: &str) -> Vec<Setting> {
    let read = |line: &str| {
        let (name, default) = line.strip_prefix(": \"${")?.strip_suffix("}\"")?.split_once(":=")?;
        Some(Setting { name: name.to_owned(), default: default.to_owned() })
    };
    program.lines().filter_map(read).collect()
}

/// Reads the calls of `fail`, and the script of each error: its last line fails.
pub(crate) fn failures(program: &str, files: &BTreeMap<String, String>) -> Vec<Failure> {
    let read = |line: &str| {
        let (anchor, text) = line.split_once("fail ")?.1.split_once(' ')?;
        let script = &files[&format!("errors/{anchor}.sh")];
        let (setup, command) = script.trim_end().rsplit_once('\n')?;
        Some(Failure {
            text: text.trim_matches('"').to_owned(),
            anchor: anchor.to_owned(),
            setup: setup.to_owned(),
            command: command.to_owned(),
        })
    };
    program.lines().filter_map(read).collect()
}

/// Reads lines such as `real | sh run test real | postgres redis`.
pub(crate) fn tiers(text: &str) -> Vec<Tier> {
    let read = |line: &str| {
        let mut parts = line.split('|').map(str::trim);
        Some(Tier {
            name: parts.next()?.to_owned(),
            command: parts.next()?.to_owned(),
            needs: parts.next()?.split_whitespace().map(str::to_owned).collect(),
        })
    };
    text.lines().filter_map(read).collect()
}

/// Reads lines such as `postgres 16.4`.
pub(crate) fn tools(text: &str) -> Vec<Tool> {
    let read = |line: &str| {
        let (name, version) = line.split_once(' ')?;
        Some(Tool { name: name.to_owned(), version: version.to_owned() })
    };
    text.lines().filter_map(read).collect()
}

/// The folders at the root, each with a `/`.
pub(crate) fn folders(files: &BTreeMap<String, String>) -> Vec<String> {
    let folders: BTreeSet<&str> =
        files.keys().filter_map(|path| Some(path.split_once('/')?.0)).collect();
    folders.into_iter().map(|folder| format!("{folder}/")).collect()
}
