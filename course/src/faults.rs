//! `faults.toml`: the wrong programs that a suite must catch, and the other right programs that it
//! must accept.
//!
//! Two keys may be above the first table. `tier = "integration"` is for a task that has no tests in
//! the plain tier. `needs = ["postgres"]` lists the servers that the task's tests of the
//! integration tier need.
//!
//! Invariant: only a complete and correct file is read. Each id is unique and occurs in the
//! sources, and each requirement is in the README. Otherwise an error names the file and the line.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use testenv::Error;
use testenv::tools::{SERVICES, Service};
use toml::Spanned;

use crate::requirements::Requirement;
use crate::say::short;
use crate::tasks::{Course, Task, text};

/// The contents of one `faults.toml`, in the order of the file.
pub(crate) struct Faults {
    /// Wrong programs.
    pub(crate) faults: Vec<Mutation>,
    /// Other right programs.
    pub(crate) variants: Vec<Mutation>,
    /// The tier in which the task has its tests.
    pub(crate) tier: Tier,
    /// The servers that the tests of the integration tier need.
    needs: Vec<&'static Service>,
}

/// How the tests of a task are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tier: Tier,
    #[serde(default)]
    needs: Vec<Spanned<String>>,
    #[serde(default)]
    fault: Vec<Entry>,
    #[serde(default)]
    variant: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    requirement: Spanned<String>,
    story: Spanned<String>,
    hint: Spanned<String>,
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
    let faults = source
        .faults(|id| sources.iter().any(|text| text.contains(&format!("fault!(\"{id}\")"))))?;
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
    fn faults(&self, in_sources: impl Fn(&str) -> bool) -> Result<Faults, Error> {
        let file: File = toml::from_str(&self.text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            self.error(at, e.message())
                .fix("each [[fault]] and [[variant]] has id, requirement, story and hint, each a text in quotes; above the first may stand tier and needs")
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
        Ok(Faults { faults, variants, tier: file.tier, needs })
    }

    fn service(&self, name: &Spanned<String>) -> Result<&'static Service, Error> {
        SERVICES.iter().copied().find(|service| service.name == name.get_ref()).ok_or_else(|| {
            let known: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
            self.error(name.span().start, &format!("there is no service `{}`", name.get_ref()))
                .fix(format!("name one of these: {}", known.join(", ")))
        })
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
        let (wanted, at) = (entry.requirement.get_ref(), entry.requirement.span().start);
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
        for (name, words) in [("story", &entry.story), ("hint", &entry.hint)] {
            if words.get_ref().trim().is_empty() {
                return Err(self
                    .error(words.span().start, &format!("the {name} of `{id}` is empty"))
                    .fix("say it in a sentence"));
            }
        }
        ids.push(id.clone());
        Ok(Mutation {
            id: id.clone(),
            requirement: requirement.clone(),
            story: entry.story.into_inner().trim().to_owned(),
            hint: entry.hint.into_inner().trim().to_owned(),
        })
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
mod tests {
    use super::{Faults, Source, Tier};
    use crate::requirements;

    const GOOD: &str = "# Faults.\n[[fault]]\nid = \"a-b\"\nrequirement = \"R1\"\nstory = \"S.\"\nhint = \"H.\"\n\n\
                        [[variant]]\nid = \"c\"\nrequirement = \"R2\"\nstory = \"S.\"\nhint = \"H.\"\n";

    fn read(text: &str) -> Result<Faults, String> {
        let requirements = requirements::read("## Requirements\n- **R1** One.\n- **R2** Two.\n");
        Source { name: "faults.toml".into(), text: text.into(), requirements }
            .faults(|id| id != "lost")
            .map_err(|e| e.to_string())
    }

    fn refusal(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        read(&GOOD.replacen(from, to, 1)).err().unwrap()
    }

    #[test]
    fn faults_and_variants_keep_their_order_and_get_their_requirement() {
        let faults = read(GOOD).unwrap();

        assert_eq!(
            (faults.faults[0].id.as_str(), faults.faults[0].requirement.sentence.as_str()),
            ("a-b", "One.")
        );
        assert_eq!(
            (faults.variants[0].id.as_str(), faults.variants[0].requirement.id.as_str()),
            ("c", "R2")
        );
    }

    #[test]
    fn the_tier_is_plain_unless_the_file_says_another() {
        let real =
            GOOD.replacen("[[fault]]", "tier = \"integration\"\nneeds = [\"kafka\"]\n[[fault]]", 1);

        let (plain, real) = (read(GOOD).unwrap(), read(&real).unwrap());

        assert_eq!((plain.tier, real.tier), (Tier::Plain, Tier::Integration));
        assert_eq!((plain.needs.len(), real.needs[0].name), (0, "kafka"));
    }

    #[test]
    fn each_mistake_is_named_with_its_line_and_its_cure() {
        for (from, to, expected) in [
            ("id = \"a-b\"", "id = \"a-b", "faults.toml:3: "),
            ("story", "storry", "faults.toml:5: unknown field `storry`"),
            ("hint = \"H.\"\n\n", "\n", "faults.toml:2: missing field `hint`"),
            ("\"S.\"", "7", "faults.toml:5: invalid type: integer `7`"),
            ("\"c\"", "\"a-b\"", "faults.toml:9: the id `a-b` stands here a second time"),
            ("\"c\"", "\"lost\"", "faults.toml:9: no file below src/ has fault!(\"lost\")"),
            ("\"c\"", "\"C d\"", "faults.toml:9: the id `C d` is not in kebab-case"),
            ("\"R2\"", "\"R7\"", "faults.toml:10: the README has no requirement `R7`"),
            ("\"H.\"", "\" \"", "faults.toml:6: the hint of `a-b` is empty"),
            ("[[fault]]", "[[faults]]", "faults.toml:2: unknown field `faults`"),
            ("[[fault]]", "tier = \"real\"\n[[fault]]", "faults.toml:2: unknown variant `real`"),
            ("[[fault]]", "[[fault]]\ntier = \"plain\"", "faults.toml:3: unknown field `tier`"),
            (
                "[[fault]]",
                "needs = [\"posgres\"]\n[[fault]]",
                "faults.toml:2: there is no service `posgres`",
            ),
        ] {
            let refusal = refusal(from, to);
            assert!(refusal.starts_with(expected), "{from} -> {to}: {refusal}");
            assert!(refusal.contains("to fix: "), "{refusal}");
        }
    }
}
