//! `faults.toml`: the wrong programs that a suite must catch, and the other right programs that it
//! must accept.
//!
//! Three keys may be above the first table. `tier = "integration"` is for a task that has no tests in
//! the plain tier. `needs = ["postgres"]` lists the servers that the task's tests of the
//! integration tier need. `heavy = true` says that its tests use the machine more than they wait.
//!
//! A task in which the learner builds a piece too has `[[promise]]`s: the tests of `tests/mine.rs` that
//! the piece must pass.
//!
//! Invariant: only a complete and correct file is read. Each id is unique and occurs in the
//! sources, and each requirement is in the README. Otherwise an error names the file and the line.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use testenv::Error;
use testenv::tools::{SERVICES, Service};
use toml::Spanned;

use crate::promises::MINE;
use crate::requirements::Requirement;
use crate::say::short;
use crate::tasks::{Course, Task, text};

/// The contents of one `faults.toml`, in the order of the file.
pub(crate) struct Faults {
    /// Wrong programs.
    pub(crate) faults: Vec<Mutation>,
    /// Other right programs.
    pub(crate) variants: Vec<Mutation>,
    /// What the learner's own piece must keep. Most tasks have no such piece.
    pub(crate) promises: Vec<Promise>,
    /// The tier in which the task has its tests.
    pub(crate) tier: Tier,
    /// The servers that the tests of the integration tier need.
    needs: Vec<&'static Service>,
    /// Whether the tests use the machine more than they wait: they start containers, or make many
    /// databases. They are tried on a fault one after the other, each to its end. A run that is ended
    /// early leaves its containers until the check ends, and an engine has addresses for about thirty
    /// networks.
    pub(crate) heavy: bool,
}

/// How the tests of a task are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tier {
    /// Without features.
    #[default]
    Plain,
    /// With the feature `integration`, on real servers.
    Integration,
}

impl Tier {
    /// The cargo arguments for this tier, as they are typed after the package.
    pub(crate) fn typed(self) -> &'static str {
        match self {
            Tier::Plain => "",
            Tier::Integration => " --features integration",
        }
    }
}

impl Faults {
    /// The place of the fault with this number.
    ///
    /// # Errors
    ///
    /// If the task has no such fault.
    pub(crate) fn place(&self, task: &Task, number: usize) -> Result<usize, Error> {
        let place = number.checked_sub(1).filter(|at| *at < self.faults.len());
        place.ok_or_else(|| {
            Error::new(format!("{} has no fault of this number", task.name))
                .cause(format!("its faults have the numbers 1 to {}", self.faults.len()))
                .fix(format!("cargo course faults {}", task.name))
        })
    }

    /// What a complete task has: all faults caught, all promises kept.
    pub(crate) fn points(&self) -> usize {
        self.faults.len() + self.promises.len()
    }

    /// What a score of the task counts.
    pub(crate) fn counted(&self) -> &'static str {
        if self.promises.is_empty() { "faults caught" } else { "faults caught and promises kept" }
    }

    /// The names of the services that tests of this tier need, separated by commas.
    pub(crate) fn services(&self, tier: Tier) -> String {
        let needed = self.needs.iter().filter(|_| tier == Tier::Integration);
        needed.map(|service| service.name).collect::<Vec<_>>().join(",")
    }

    /// Fails, with the cure, when a server that the tier needs is not available here. It is better
    /// to fail now than after minutes of building.
    pub(crate) fn look_for_servers(&self, tier: Tier) -> Result<(), Error> {
        let mut needed = self.needs.iter().filter(|_| tier == Tier::Integration);
        needed.try_for_each(|service| service.choose().map(drop))
    }
}

/// A program that differs from the one as written. `COURSE_FAULT=<id>` switches it on.
pub(crate) struct Mutation {
    pub(crate) id: String,
    /// For a fault, the requirement that it breaks. For a variant, the requirement that a too
    /// strict test misreads.
    pub(crate) requirement: Requirement,
    pub(crate) story: String,
    pub(crate) hint: String,
}

/// What the learner's piece must keep.
pub(crate) struct Promise {
    /// The test that shows it.
    pub(crate) test: String,
    pub(crate) requirement: Requirement,
    pub(crate) hint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tier: Tier,
    #[serde(default)]
    needs: Vec<Spanned<String>>,
    #[serde(default)]
    heavy: bool,
    #[serde(default)]
    fault: Vec<Entry>,
    #[serde(default)]
    variant: Vec<Entry>,
    #[serde(default)]
    promise: Vec<Promised>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promised {
    test: Spanned<String>,
    requirement: Spanned<String>,
    hint: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    requirement: Spanned<String>,
    story: Spanned<String>,
    hint: Spanned<String>,
}

/// Whether a source file makes a fault: by `fault!`, or in a list of `by_fault!`.
fn has(text: &str, id: &str) -> bool {
    let mut lists =
        text.split("by_fault! {").skip(1).filter_map(|list| list.split("\n    }").next());
    text.contains(&format!("fault!(\"{id}\")"))
        || lists.any(|list| list.contains(&format!("\"{id}\" =>")))
}

/// Reads and checks the file of a task.
pub(crate) fn read(course: &Course, task: &Task) -> Result<Faults, Error> {
    let path = task.dir.join("faults.toml");
    let source = Source {
        name: short(&course.root, &path).to_string(),
        text: text(&path)?,
        requirements: task.requirements()?,
    };
    let sources = rust_below(&task.dir.join("src"))?;
    let checks = std::fs::read_to_string(task.dir.join(format!("tests/{MINE}.rs")));
    let checks = checks.unwrap_or_default(); // most tasks have none
    let faults = source.faults(
        |id| sources.iter().any(|text| has(text, id)),
        |test| checks.contains(&format!("fn {test}(")),
    )?;
    if faults.tier == Tier::Integration && !task.has_integration_tier()? {
        return Err(Error::new(format!(
            "{}: its tier is `integration`, but the manifest has no such feature",
            source.name
        ))
        .fix("write under [features] in its Cargo.toml: integration = [\"shared/integration\"]"));
    }
    Ok(faults)
}

/// The text of the file, and what it is checked against.
struct Source {
    name: String,
    text: String,
    requirements: Vec<Requirement>,
}

impl Source {
    fn faults(
        &self,
        in_sources: impl Fn(&str) -> bool,
        in_checks: impl Fn(&str) -> bool,
    ) -> Result<Faults, Error> {
        let file: File = toml::from_str(&self.text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            self.error(at, e.message())
                .fix("give each [[fault]] and [[variant]] id, requirement, story and hint, each a text in quotes")
                .fix("give each [[promise]] test, requirement and hint")
                .fix("above the first, write no other keys than tier, needs and heavy")
        })?;
        let mut ids = Vec::new();
        let mut checked = |entries: Vec<Entry>| {
            entries
                .into_iter()
                .map(|entry| self.mutation(entry, &mut ids, &in_sources))
                .collect::<Result<Vec<_>, Error>>()
        };
        let (faults, variants) = (checked(file.fault)?, checked(file.variant)?);
        let needs =
            file.needs.iter().map(|name| self.service(name)).collect::<Result<_, Error>>()?;
        let promises = file.promise.into_iter().map(|entry| self.promise(entry, &in_checks));
        let promises = promises.collect::<Result<_, Error>>()?;
        Ok(Faults { faults, variants, promises, tier: file.tier, needs, heavy: file.heavy })
    }

    fn service(&self, name: &Spanned<String>) -> Result<&'static Service, Error> {
        SERVICES.iter().copied().find(|service| service.name == name.get_ref()).ok_or_else(|| {
            let known: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
            self.error(name.span().start, &format!("there is no service `{}`", name.get_ref()))
                .fix(format!("name one of these: {}", known.join(", ")))
        })
    }

    fn promise(
        &self,
        entry: Promised,
        in_checks: &impl Fn(&str) -> bool,
    ) -> Result<Promise, Error> {
        if !in_checks(entry.test.get_ref()) {
            let what = format!("tests/{MINE}.rs has no test `{}`", entry.test.get_ref());
            return Err(self
                .error(entry.test.span().start, &what)
                .fix("write the test, or remove the entry"));
        }
        let requirement = self.requirement(&entry.requirement)?;
        self.is_said("hint", entry.test.get_ref(), &entry.hint)?;
        let (test, hint) = (entry.test.into_inner(), entry.hint.into_inner().trim().to_owned());
        Ok(Promise { test, requirement, hint })
    }

    fn mutation(
        &self,
        entry: Entry,
        ids: &mut Vec<String>,
        in_sources: &impl Fn(&str) -> bool,
    ) -> Result<Mutation, Error> {
        let (id, at) = (entry.id.get_ref(), entry.id.span().start);
        if id.is_empty()
            || !id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            return Err(self
                .error(at, &format!("the id `{id}` is not in kebab-case"))
                .fix("write it in small letters, digits and hyphens"));
        }
        if ids.contains(id) {
            return Err(self
                .error(at, &format!("the id `{id}` stands here a second time"))
                .fix("give one of the two another id"));
        }
        if !in_sources(id) {
            let fix = format!(
                "write `if fault!(\"{id}\")` where the subject makes the mistake, or remove the entry"
            );
            return Err(self
                .error(at, &format!("no file below src/ has fault!(\"{id}\")"))
                .fix(fix));
        }
        let requirement = self.requirement(&entry.requirement)?;
        for (name, words) in [("story", &entry.story), ("hint", &entry.hint)] {
            self.is_said(name, id, words)?;
        }
        ids.push(id.clone());
        Ok(Mutation {
            id: id.clone(),
            requirement,
            story: entry.story.into_inner().trim().to_owned(),
            hint: entry.hint.into_inner().trim().to_owned(),
        })
    }

    fn requirement(&self, wanted: &Spanned<String>) -> Result<Requirement, Error> {
        let (wanted, at) = (wanted.get_ref(), wanted.span().start);
        let requirement = self
            .requirements
            .iter()
            .find(|requirement| requirement.id == *wanted)
            .ok_or_else(|| {
                let known: Vec<&str> =
                    self.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
                self.error(at, &format!("the README has no requirement `{wanted}`"))
                    .tried(format!(
                        "under `## Requirements` it has: {}",
                        if known.is_empty() { "none".into() } else { known.join(", ") }
                    ))
                    .fix("name one of these, or add the requirement to the README")
            })?;
        Ok(requirement.clone())
    }

    fn is_said(&self, name: &str, id: &str, words: &Spanned<String>) -> Result<(), Error> {
        if words.get_ref().trim().is_empty() {
            return Err(self
                .error(words.span().start, &format!("the {name} of `{id}` is empty"))
                .fix("say it in a sentence"));
        }
        Ok(())
    }

    fn error(&self, at: usize, what: &str) -> Error {
        let line = 1 + self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
        Error::new(format!("{}:{line}: {}", self.name, what.trim()))
    }
}

/// The texts of all Rust files below a folder.
fn rust_below(dir: &Path) -> Result<Vec<String>, Error> {
    let mut texts = Vec::new();
    let mut folders: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .map_err(|e| Error::new(format!("cannot read {}", folder.display())).cause(e))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(text(&path)?);
            }
        }
    }
    Ok(texts)
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;
