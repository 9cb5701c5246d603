//! What rustdoc shows of a crate, read from its source.
//!
//! An item is shown when it has an example, or when the example of its type or its module names it. Fields and variants belong to their type, whose example
//! has them or has no need of them.

use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, Ident, ImplItem, Item as Syntax, Lit, Meta, ReturnType, Signature};
use syn::{Type, UseTree, Visibility};

/// A public item.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its path, by the public module that it is shown in.
    pub(crate) path: String,
    /// Whether an example names it.
    pub(crate) is_shown: bool,
    /// Whether it returns a `Result`.
    pub(crate) can_fail: bool,
    /// Whether its docs have the section `# Errors`.
    pub(crate) says_errors: bool,
}

/// The public items of the crate whose root is this file and whose front page is this text.
pub(crate) fn items(lib: &Path, front: &str) -> Vec<Item> {
    let mut source = Source::default();
    let dir = lib.parent().expect("a file is in a folder").to_owned();
    let text = std::fs::read_to_string(lib).unwrap();
    source.file(&parse(&text), dir, &Module { path: "testenv".into(), docs: front.into() }, None);
    source.judged()
}

/// The public items of a module that is one text.
pub(crate) fn items_of(name: &str, text: &str) -> Vec<Item> {
    let mut source = Source::default();
    let file = parse(text);
    let module = Module { path: name.into(), docs: docs(&file.attrs) };
    source.file(&file, PathBuf::new(), &module, None);
    source.judged()
}

/// Fenced blocks of a document: the words after the fence, and the lines that a reader sees.
pub(crate) fn fences(document: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in document.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(words), None) => open = Some((words.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some((_, code))) => *code += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    found
}

/// A module as a reader sees it.
#[derive(Clone)]
struct Module {
    path: String,
    docs: String,
}

/// What is read before anything is judged: a method may stand in another file than its type.
#[derive(Default)]
struct Source {
    found: Vec<Found>,
    methods: Vec<(String, Found)>,
}

struct Found {
    name: String,
    use_: Use,
    /// What a reader sees with it, its own first.
    docs: Vec<String>,
    parent: String,
    can_fail: bool,
}

/// How an example says it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Call,
    Name,
    Macro,
    Module,
    Type,
}

impl Source {
    /// Reads a file; of one that is private only the items named by `reexported` are shown.
    fn file(
        &mut self,
        file: &syn::File,
        dir: PathBuf,
        module: &Module,
        reexported: Option<&[String]>,
    ) {
        let named: Vec<String> = file.items.iter().flat_map(reexports).collect();
        for item in &file.items {
            match item {
                Syntax::Mod(it) if it.content.is_none() && !is_hidden(&it.attrs) => {
                    let name = it.ident.to_string();
                    let (path, below) = (dir.join(format!("{name}.rs")), dir.join(&name));
                    let inner = parse(&std::fs::read_to_string(&path).unwrap());
                    if is_public(&it.vis) {
                        let path = format!("{}::{name}", module.path);
                        let inside = Module { path, docs: docs(&inner.attrs) };
                        self.add(Use::Module, &it.ident, &inner.attrs, module);
                        self.file(&inner, below, &inside, None);
                    } else {
                        self.file(&inner, below, module, Some(&named));
                    }
                }
                Syntax::Impl(it) if it.trait_.is_none() => self.methods(it, module),
                _ => {
                    let Some((use_, ident, attrs, signature)) = shown(item) else { continue };
                    if reexported.is_none_or(|names| names.contains(&ident.to_string())) {
                        let found = self.add(use_, ident, attrs, module);
                        found.can_fail = signature.is_some_and(can_fail);
                    }
                }
            }
        }
    }

    fn add(
        &mut self,
        use_: Use,
        ident: &Ident,
        attrs: &[Attribute],
        module: &Module,
    ) -> &mut Found {
        let (name, parent) = (ident.to_string(), module.path.clone());
        let docs = vec![docs(attrs), module.docs.clone()];
        self.found.push(Found { name, use_, docs, parent, can_fail: false });
        self.found.last_mut().expect("it was just put there")
    }

    fn methods(&mut self, block: &syn::ItemImpl, module: &Module) {
        let Type::Path(type_) = &*block.self_ty else { return };
        let type_ = type_.path.segments.last().expect("a path has a last part").ident.to_string();
        for item in &block.items {
            let (ident, attrs, use_, can_fail) = match item {
                ImplItem::Fn(it) if is_public(&it.vis) => {
                    (&it.sig.ident, &it.attrs, Use::Call, can_fail(&it.sig))
                }
                ImplItem::Const(it) if is_public(&it.vis) => {
                    (&it.ident, &it.attrs, Use::Name, false)
                }
                _ => continue,
            };
            if !is_hidden(attrs) {
                let (name, parent) = (ident.to_string(), module.path.clone());
                let found = Found { name, use_, docs: vec![docs(attrs)], parent, can_fail };
                self.methods.push((type_.clone(), found));
            }
        }
    }

    fn judged(mut self) -> Vec<Item> {
        for (type_, mut method) in std::mem::take(&mut self.methods) {
            let of = self.found.iter().find(|it| it.use_ == Use::Type && it.name == type_);
            let Some(of) = of else { continue };
            method.docs.extend(of.docs.iter().cloned());
            method.parent = format!("{}::{type_}", of.parent);
            self.found.push(method);
        }
        let items = self.found.iter().map(|it| Item {
            path: format!("{}::{}", it.parent, it.name),
            is_shown: has_example(&it.docs[0]) || it.docs[1..].iter().any(|docs| is_used(docs, it)),
            can_fail: it.can_fail,
            says_errors: it.docs[0].lines().any(|line| line.trim() == "# Errors"),
        });
        items.collect()
    }
}

/// How an item is said, its name and docs, and the signature of a function; `None` where rustdoc shows nothing.
fn shown(item: &Syntax) -> Option<(Use, &Ident, &[Attribute], Option<&Signature>)> {
    let (use_, ident, attrs, vis, signature) = match item {
        Syntax::Fn(it) => (Use::Call, &it.sig.ident, &it.attrs, &it.vis, Some(&it.sig)),
        Syntax::Struct(it) => (Use::Type, &it.ident, &it.attrs, &it.vis, None),
        Syntax::Enum(it) => (Use::Type, &it.ident, &it.attrs, &it.vis, None),
        Syntax::Trait(it) => (Use::Type, &it.ident, &it.attrs, &it.vis, None),
        Syntax::Type(it) => (Use::Type, &it.ident, &it.attrs, &it.vis, None),
        Syntax::Const(it) => (Use::Name, &it.ident, &it.attrs, &it.vis, None),
        Syntax::Static(it) => (Use::Name, &it.ident, &it.attrs, &it.vis, None),
        Syntax::Macro(it) if it.attrs.iter().any(|attr| attr.path().is_ident("macro_export")) => {
            return Some((Use::Macro, it.ident.as_ref()?, &it.attrs, None));
        }
        _ => return None,
    };
    (is_public(vis) && !is_hidden(attrs)).then_some((use_, ident, attrs, signature))
}

/// The lines of a document's examples that a reader sees and the compiler too.
fn lines(docs: &str) -> impl Iterator<Item = String> {
    let code = fences(docs).into_iter().filter(|(words, _)| is_compiled(words));
    let lines = code.flat_map(|(_, code)| code.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|line| line.trim() != "#" && !line.trim_start().starts_with("# "))
}

fn has_example(docs: &str) -> bool {
    lines(docs).any(|line| !line.trim().is_empty())
}

/// Whether an example says the item; a remark in it does not count.
fn is_used(docs: &str, item: &Found) -> bool {
    lines(docs).any(|line| {
        let said = line.split_once("//").filter(|(before, _)| !before.ends_with(':'));
        let said = said.map_or(line.as_str(), |(before, _)| before);
        said.match_indices(&item.name).any(|(at, name)| {
            let (before, after) = (&said[..at], &said[at + name.len()..]);
            let in_word = |c: char| c.is_alphanumeric() || c == '_';
            let follows = match item.use_ {
                Use::Call => after.starts_with('(') || after.starts_with("::<"),
                Use::Macro => after.starts_with("!("),
                Use::Module => after.starts_with("::"),
                Use::Name | Use::Type => !after.starts_with(in_word),
            };
            follows && !before.ends_with(in_word)
        })
    })
}

fn is_compiled(words: &str) -> bool {
    const RUST: [&str; 4] = ["rust", "no_run", "should_panic", "compile_fail"];
    words.is_empty() || words.split(',').all(|word| RUST.contains(&word))
}

/// What `pub use module::{One, Two}` names.
fn reexports(item: &Syntax) -> Vec<String> {
    fn leaves(tree: &UseTree, into: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => leaves(&path.tree, into),
            UseTree::Name(name) => into.push(name.ident.to_string()),
            UseTree::Rename(rename) => into.push(rename.ident.to_string()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, into)),
            UseTree::Glob(_) => panic!("`pub use …::*`: what it names cannot be read off"),
        }
    }
    let mut names = Vec::new();
    if let Syntax::Use(it) = item
        && is_public(&it.vis)
    {
        leaves(&it.tree, &mut names);
    }
    names
}

fn can_fail(signature: &Signature) -> bool {
    let ReturnType::Type(_, type_) = &signature.output else { return false };
    let Type::Path(type_) = &**type_ else { return false };
    type_.path.segments.last().is_some_and(|last| last.ident == "Result")
}

fn docs(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(text) => match &text.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let plain = lines.map(|line| line.strip_prefix(' ').map(str::to_owned).unwrap_or(line));
    plain.collect::<Vec<_>>().join("\n")
}

fn is_hidden(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) => list.path.is_ident("doc") && list.tokens.to_string() == "hidden",
        _ => false,
    })
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn parse(text: &str) -> syn::File {
    syn::parse_file(text).unwrap_or_else(|error| panic!("{error}"))
}
