//! Imports inside the harness point one way: services know the engine under them, the engine knows the run,
//! and nothing points back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, UseTree, Visibility};

/// A circle of so many files is read as one: a module and what it is split into.
const MOST: usize = 3;

/// A module by the names of its path below the crate.
type Module = Vec<String>;

/// Paths of one file as they are written, without those of its tests.
#[derive(Default)]
struct Paths {
    of: BTreeSet<Vec<String>>,
}

impl Paths {
    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => drop(self.of.insert(with(&name.ident))),
            UseTree::Rename(name) => drop(self.of.insert(with(&name.ident))),
            UseTree::Glob(_) => drop(self.of.insert(before.to_vec())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !module.attrs.iter().any(is_for_tests) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.of.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// `pub(in crate::a)` says who may import, and imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn is_for_tests(attribute: &Attribute) -> bool {
    let tokens = || attribute.meta.require_list().map(|list| list.tokens.to_string());
    attribute.path().is_ident("cfg") && tokens().is_ok_and(|cfg| cfg.contains("test"))
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src")
}

/// The modules that are files, but for the crate's root, its programs and files of tests.
fn modules(folder: &Path, at: &Module, found: &mut BTreeMap<Module, PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let module = [at.as_slice(), std::slice::from_ref(&name)].concat();
        if path.is_dir() && name != "bin" {
            modules(&path, &module, found);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && !["lib", "tests"].contains(&name.as_str())
        {
            found.insert(module, path);
        }
    }
}

/// The module of a path that is written in `module`: the longest beginning of it that is a file.
fn resolved(path: &[String], module: &Module, all: &BTreeMap<Module, PathBuf>) -> Option<Module> {
    let mut names = path;
    let mut at = match path.first()?.as_str() {
        "crate" => Module::new(),
        "self" => module.clone(),
        "super" => {
            let above = path.iter().take_while(|name| *name == "super").count();
            names = &path[above - 1..];
            module[..module.len().checked_sub(above)?].to_vec()
        }
        child if all.contains_key(&[module.as_slice(), &[child.to_owned()]].concat()) => {
            [module.as_slice(), &[child.to_owned()]].concat()
        }
        _ => return None,
    };
    for name in &names[1..] {
        let further = [at.as_slice(), std::slice::from_ref(name)].concat();
        if !all.contains_key(&further) {
            break;
        }
        at = further;
    }
    (all.contains_key(&at) && at != *module).then_some(at)
}

/// What imports what, by the names that `shown` gives to modules.
fn circles(
    files: &BTreeMap<Module, String>,
    shown: impl Fn(&Module) -> String,
) -> Vec<Vec<String>> {
    let all: BTreeMap<Module, PathBuf> =
        files.keys().map(|module| (module.clone(), PathBuf::new())).collect();
    let names: BTreeMap<&Module, String> = files.keys().map(|it| (it, shown(it))).collect();
    let mut graph = DiGraphMap::<&str, ()>::new();
    for (module, text) in files {
        let mut paths = Paths::default();
        paths.visit_file(&syn::parse_file(text).unwrap());
        for imported in paths.of.iter().filter_map(|path| resolved(path, module, &all)) {
            let (from, to) = (names[module].as_str(), names[&imported].as_str());
            if from != to {
                graph.add_edge(from, to, ());
            }
        }
    }
    let mut circles = tarjan_scc(&graph);
    circles.retain(|circle| circle.len() > 1);
    let sorted = circles.into_iter().map(|circle| {
        let mut circle: Vec<String> = circle.into_iter().map(str::to_owned).collect();
        circle.sort();
        circle
    });
    sorted.collect()
}

fn harness() -> BTreeMap<Module, String> {
    let mut found = BTreeMap::new();
    modules(&source(), &Module::new(), &mut found);
    found
        .into_iter()
        .map(|(module, path)| (module, std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn imports_between_the_modules_of_the_harness_point_one_way() {
    // The folder of a service's description is its module's, and the description itself is below everything.
    let top = |module: &Module| match module.last().map(String::as_str) {
        Some("service") => "service".to_owned(),
        _ => module[0].clone(),
    };

    assert_eq!(circles(&harness(), top), Vec::<Vec<String>>::new());
}

#[test]
fn no_circle_spans_more_files_than_are_read_as_one() {
    let mut long = circles(&harness(), |module| module.join("/"));
    long.retain(|circle| circle.len() > MOST);

    assert_eq!(long, Vec::<Vec<String>>::new());
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let file = |path: &str, text: &str| {
        (path.split('/').map(str::to_owned).collect::<Module>(), text.to_owned())
    };
    let files = [
        file("run", "mod sweep; pub fn end() { sweep::all(); }"),
        file("run/sweep", "use crate::{docker::{self, reap}, wait};"),
        file("docker", "pub(in crate::run) fn no() {}"),
        file("docker/reap", "fn f() { super::super::run::end() }"),
        file("wait", "#[cfg(test)] mod tests { use crate::run; }"),
    ];

    let found = circles(&files.into(), |module| module.join("/"));

    assert_eq!(found, [["docker/reap", "run", "run/sweep"]]);
}
