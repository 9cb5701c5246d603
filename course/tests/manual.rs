//! The harness's manual holds what a first test needs: every public item has an example, and the first test is one that ran.

mod public;

use std::path::{Path, PathBuf};

use public::Item;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The code of a document's fenced blocks whose words begin with `language`.
fn blocks(document: &str, language: &str) -> Vec<String> {
    public::fences(document)
        .into_iter()
        .filter(|(words, _)| words.split(',').next() == Some(language))
        .map(|(_, code)| code)
        .collect()
}

/// The part of a document below a heading, up to the next one of that rank or above.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, after) =
        document.split_once(&format!("\n## {heading}\n")).expect("the manual has this heading");
    after.split_once("\n## ").map_or(after, |(section, _)| section)
}

fn harness() -> Vec<Item> {
    public::items(&root().join("shared/src/lib.rs"), &read("shared/README.md"))
}

fn names(items: &[Item], wrong: impl Fn(&Item) -> bool) -> Vec<&str> {
    items.iter().filter(|item| wrong(item)).map(|item| item.path.as_str()).collect()
}

#[test]
fn every_public_item_of_the_harness_is_shown_in_use() {
    let items = harness();

    assert!(items.len() > 50, "these are not all: {items:#?}");
    assert_eq!(names(&items, |item| !item.is_shown), Vec::<&str>::new(), "without an example");
}

#[test]
fn every_public_function_of_the_harness_says_how_it_fails() {
    let items = harness();

    let silent = names(&items, |item| item.can_fail && !item.says_errors);
    assert_eq!(silent, Vec::<&str>::new(), "without `# Errors`");
}

#[test]
fn an_item_without_an_example_is_named() {
    let source = r#"
        //! A module.
        //!
        //! ```
        //! assert_eq!(it::LIMIT, 3); // not HIDDEN, though it is named
        //! ```
        /// Shown above.
        pub const LIMIT: u8 = 3;
        /// ```text
        /// HIDDEN
        /// ```
        pub const HIDDEN: u8 = 4;
        /// Has methods.
        ///
        /// ```
        /// it::Thing::new().opened();
        /// # it::Thing::new().secret();
        /// ```
        pub struct Thing;
        impl Thing {
            /// Shown by its type.
            pub fn new() -> Thing { Thing }
            /// Shown by its type.
            pub fn opened(&self) {}
            /// Only in a line that no reader sees.
            pub fn secret(&self) -> Result<(), ()> { Ok(()) }
            pub(crate) fn own(&self) {}
        }
        /// ```ignore
        /// it::never();
        /// ```
        pub fn never() {}
        #[doc(hidden)]
        pub fn not_shown() {}
    "#;

    let items = public::items_of("it", source);

    assert_eq!(
        names(&items, |item| !item.is_shown),
        ["it::HIDDEN", "it::never", "it::Thing::secret"]
    );
    assert_eq!(names(&items, |item| item.can_fail && !item.says_errors), ["it::Thing::secret"]);
}

#[test]
fn the_manuals_first_test_is_the_strangers_word_for_word() {
    let manual = read("shared/README.md");
    let first = section(&manual, "A first test");
    let tests = read("shared/tests/stranger/tests/first.rs");
    let manifest = read("shared/tests/stranger/Cargo.toml").replace("\"../..\"", "\"../shared\"");

    let (code, dependencies) = (blocks(first, "rust"), blocks(first, "toml"));
    let (_header, tests) = tests.split_once("\n\n").unwrap();

    assert_eq!(code.join("\n"), tests);
    assert_eq!(dependencies.len(), 1);
    assert!(manifest.contains(&dependencies[0]), "{}", dependencies[0]);
    for sql in blocks(first, "sql") {
        let own = ["0001_rooms.sql", "0002_bookings.sql"]
            .map(|name| read(&format!("shared/tests/stranger/migrations/{name}")));
        assert!(own.contains(&sql), "{sql}");
    }
}

#[test]
fn the_stranger_has_the_versions_of_the_workspace() {
    let packages = |lock: &str| -> Vec<String> {
        let text = read(lock);
        let parts = text.split("[[package]]\n").skip(1);
        parts.map(|part| part.lines().take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    let ours = packages("Cargo.lock");

    let other: Vec<String> = packages("shared/tests/stranger/Cargo.lock")
        .into_iter()
        .filter(|package| !ours.contains(package) && !package.starts_with("name = \"stranger\""))
        .collect();

    assert_eq!(other, Vec::<String>::new(), "to fix: copy Cargo.lock there and `cargo metadata`");
}

#[test]
fn whoever_copies_the_harness_is_told_of_all_that_it_depends_on() {
    let manual = read("shared/README.md");
    let copy = section(&manual, "Copy it");

    let manifest: toml::Table = read("shared/Cargo.toml").parse().unwrap();
    let tables = ["dependencies", "dev-dependencies"].map(|table| manifest[table].as_table());
    let untold: Vec<&String> = tables
        .into_iter()
        .flat_map(|table| table.expect("it is a table").keys())
        .filter(|name| !copy.contains(&format!("`{name}`")))
        .collect();
    assert_eq!(untold, Vec::<&String>::new());
}
