//! What a project says about its servers, in a `Cargo.toml`: once, for everybody who clones it.
//!
//! ```toml
//! [workspace.metadata.testenv.postgres]
//! image = "pgvector/pgvector:pg17" # or: version = "16", of the usual image
//! settings = { wal_level = "logical", max_wal_senders = 10 }
//! ```
//!
//! `[package.metadata.testenv.…]` of a package replaces what its workspace says. Two packages with
//! different wishes are two runs, with servers of their own.
//!
//! Invariant: a mistake there is an error with file and line, for every test that needs a server.

mod read;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::{Error, images};
use read::Table;

/// What a project wants of the servers of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) image: Option<Image>,
    /// Names and values, in the order of their names.
    pub(crate) settings: Vec<(String, String)>,
}

/// The image of a server, with the place where it is named: the file and the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) name: Wanted,
    pub(crate) place: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Image(String),
    /// A tag of the usual image.
    Version(String),
}

/// The wishes for a service, by its name.
pub(crate) fn of(service: &str) -> Result<Wishes, Error> {
    Ok(all()?
        .iter()
        .find(|(name, _)| *name == service)
        .map(|(_, wishes)| wishes.clone())
        .unwrap_or_default())
}

/// An image that a user asked for in the place of the pinned one.
pub(crate) struct Override {
    /// As `docker pull` takes it.
    pub(crate) name: String,
    /// What names it: a variable, or the file and the line. The variable counts first.
    pub(crate) place: String,
    /// What to do if there is no such image.
    pub(crate) cure: String,
}

/// The image that the user asked for in the place of this one.
pub(crate) fn image_for(pinned: &images::Image) -> Option<Override> {
    let var = pinned.override_var();
    if let Some(name) = images::set(&var) {
        return Some(Override { name, cure: format!("correct or unset {var}"), place: var });
    }
    let Image { name, place } = of(pinned.service).ok()?.image?;
    let name = match name {
        Wanted::Image(name) => name,
        Wanted::Version(tag) => pinned.tagged(&tag),
    };
    Some(Override { name, cure: format!("correct {place}"), place })
}

/// One line for each service for which there are wishes: runs with different ones share nothing.
pub(crate) fn asked() -> String {
    all()
        .unwrap_or_default()
        .iter()
        .map(|(name, wishes)| format!("Cargo.toml: {name} {}\n", wishes.text()))
        .collect()
}

/// All wishes, by the name of their service. They are read once.
fn all() -> Result<&'static [(&'static str, Wishes)], Error> {
    static ALL: OnceLock<Result<Vec<(&str, Wishes)>, Error>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        // A test starts in its package's folder. `CARGO_MANIFEST_DIR` would be that of the harness for
        // a program of the harness that cargo runs.
        std::env::current_dir().map_or(Ok(Vec::new()), |here| in_force(&here))
    });
    all.as_deref().map_err(Clone::clone)
}

/// What is said for a package in this folder, or in the nearest one above it.
fn in_force(folder: &Path) -> Result<Vec<(&'static str, Wishes)>, Error> {
    let mut manifests = folder.ancestors().filter_map(Manifest::in_folder);
    let Some(package) = manifests.next() else { return Ok(Vec::new()) };
    let named = package.root().and_then(|root| Manifest::in_folder(&root));
    let above: Vec<Manifest> = named.map_or_else(|| manifests.collect(), |root| vec![root]);
    // Every test process comes here: where nothing is said, no file is parsed.
    if !package.may_speak() && !above.iter().any(Manifest::may_speak) {
        return Ok(Vec::new());
    }
    let is_root = package.is_workspace();
    let mut roots = above.into_iter().filter(|manifest| !is_root && manifest.is_workspace());
    let root = roots.next().filter(|root| !root.excludes(&package));
    let mut wishes: Vec<(&str, Wishes)> = Vec::new();
    for (manifest, table) in
        [(root.as_ref(), "workspace"), (Some(&package), "workspace"), (Some(&package), "package")]
    {
        for (service, more) in manifest.map_or(Ok(Vec::new()), |manifest| manifest.wishes(table))? {
            match wishes.iter_mut().find(|(known, _)| *known == service) {
                Some((_, wishes)) => wishes.replace(more),
                None => wishes.push((service, more)),
            }
        }
    }
    Ok(wishes)
}

impl Wishes {
    fn replace(&mut self, other: Wishes) {
        self.image = other.image.or_else(|| self.image.take());
        self.settings.retain(|(name, _)| !other.settings.iter().any(|(more, _)| more == name));
        self.settings.extend(other.settings);
        self.settings.sort();
    }

    fn text(&self) -> String {
        let image = self.image.as_ref().map(|image| &image.name);
        format!("{image:?} {:?}", self.settings)
    }
}

/// A `Cargo.toml` that speaks of servers, or might.
struct Manifest {
    path: PathBuf,
    text: String,
}

impl Manifest {
    fn in_folder(folder: &Path) -> Option<Manifest> {
        let path = folder.join("Cargo.toml");
        let text = std::fs::read_to_string(&path).ok()?;
        Some(Manifest { path, text })
    }

    fn is_workspace(&self) -> bool {
        self.text.contains("workspace")
            && self.top().is_some_and(|top| top.table("workspace").is_some())
    }

    /// Whether the workspace says that the package is none of its own.
    fn excludes(&self, package: &Manifest) -> bool {
        let excluded = self.top().and_then(|top| Some(top.table("workspace")?.texts("exclude")));
        let below = self.path.parent().and_then(|root| package.path.strip_prefix(root).ok());
        below.zip(excluded).is_some_and(|(below, excluded)| {
            excluded.iter().any(|excluded| below.starts_with(excluded))
        })
    }

    /// Whether something about servers may stand there.
    fn may_speak(&self) -> bool {
        self.text.contains("metadata") && self.text.contains("testenv")
    }

    /// The folder of the workspace, where the package names it.
    fn root(&self) -> Option<PathBuf> {
        let names = |line: &str| line.starts_with("workspace") && line.contains(['"', '\'']);
        if !self.text.lines().any(names) {
            return None;
        }
        let root = self.top()?.table("package")?.text("workspace")?;
        Some(self.path.parent()?.join(root))
    }

    /// What one of its tables says.
    fn wishes(&self, table: &str) -> Result<Vec<(&'static str, Wishes)>, Error> {
        if !self.may_speak() {
            return Ok(Vec::new());
        }
        let testenv =
            self.top().and_then(|top| top.table(table)?.table("metadata")?.get("testenv"));
        testenv.map_or(Ok(Vec::new()), |testenv| read::wishes(&testenv))
    }

    /// cargo has refused a file that cannot be read.
    fn top(&self) -> Option<Table<'_>> {
        Table::of(&self.path, &self.text)
    }
}

#[cfg(test)]
mod tests;
