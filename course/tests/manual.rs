//! The harness's manual holds what a first test needs, and the first test is one that ran.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The code of a document's fenced blocks whose words begin with `language`.
fn blocks(document: &str, language: &str) -> Vec<String> {
    fences(document)
        .into_iter()
        .filter(|(words, _)| words.split(',').next() == Some(language))
        .map(|(_, code)| code)
        .collect()
}

/// Fenced blocks of a document: the words after the fence, and the lines that a reader sees.
fn fences(document: &str) -> Vec<(String, String)> {
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

/// The part of a document below a heading (`## Title`), up to the next one of that rank or above.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, after) =
        document.split_once(&format!("\n{heading}\n")).expect("the manual has this heading");
    let (rank, _) = heading.split_once(' ').expect("a heading has a rank and a title");
    let ends = (1..=rank.len()).filter_map(|rank| after.find(&format!("\n{} ", "#".repeat(rank))));
    &after[..ends.min().unwrap_or(after.len())]
}

#[test]
fn the_manual_opens_with_a_test_of_the_strangers() {
    let manual = read("shared/README.md");
    let opening = manual.split("\n## ").next().unwrap();
    let tests = read("shared/tests/stranger/tests/opening.rs");
    let (_header, test) = tests.split_once("\n\n").unwrap();

    let code = blocks(opening, "rust");

    assert_eq!(code, [test]);
    // A reader sees it before anything else: two sentences stand above it, and no heading but the title.
    let above = opening.lines().take_while(|line| !line.starts_with("```")).count();
    assert!(above <= 5, "{above} lines stand above the test");
}

#[test]
fn the_manuals_first_test_is_the_strangers_word_for_word() {
    let manual = read("shared/README.md");
    let first = section(&manual, "## A first test");
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

/// Each project there is written from this page alone.
#[test]
fn the_page_of_other_clients_holds_what_the_strangers_ran() {
    let page = read("shared/coming-from.md");
    let ran: Vec<String> = ["attribute/tests/after", "diesel/tests/first", "postgres/tests/first"]
        .into_iter()
        .chain(["sqlx08/tests/first", "tokio-postgres/tests/first"])
        .map(|path| read(&format!("shared/tests/strangers/{path}.rs")))
        .chain([read("shared/tests/attribute.rs")])
        .collect();
    let manifest =
        read("shared/tests/strangers/tokio-postgres/Cargo.toml").replace("../../..", "../shared");

    let (code, toml) = (blocks(&page, "rust"), blocks(&page, "toml"));

    assert!(code.len() > 7 && toml.len() == 1, "{code:?}");
    for code in code {
        assert!(ran.iter().any(|ran| ran.contains(&code)), "{code}");
    }
    let line = toml[0].lines().last().unwrap();
    assert!(manifest.contains(line), "{line}");
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
    let copy = section(&manual, "### Copy the folder");

    let manifest: toml::Table = read("shared/Cargo.toml").parse().unwrap();
    let tables = ["dependencies", "dev-dependencies"].map(|table| manifest[table].as_table());
    let untold: Vec<&String> = tables
        .into_iter()
        .flat_map(|table| table.expect("it is a table").keys())
        .filter(|name| !copy.contains(&format!("`{name}`")))
        .collect();
    assert_eq!(untold, Vec::<&String>::new());
}

#[test]
fn whoever_names_the_harness_as_a_dependency_is_shown_features_that_it_has() {
    let manual = read("shared/README.md");
    let manifest: toml::Table = read("shared/Cargo.toml").parse().unwrap();
    let known = manifest["features"].as_table().unwrap();

    for (way, source) in [("### Git dependency", "git"), ("### Path dependency", "path")] {
        let [shown]: [String; 1] = blocks(section(&manual, way), "toml").try_into().unwrap();
        let shown: toml::Table = shown.parse().unwrap();
        let shared = shown["dev-dependencies"]["shared"].as_table().unwrap();

        assert!(shared.contains_key(source), "{way}: {shared:?}");
        for feature in shared["features"].as_array().unwrap() {
            assert!(known.contains_key(feature.as_str().unwrap()), "{way}: {feature:?}");
        }
    }
}

/// A page of rustdoc's has no pictures beside it: there the first definition of a link counts, and it holds the picture itself.
#[test]
fn the_pictures_of_the_manual_are_seen_in_rustdoc() {
    /// All that ends a link's destination, or means something in a URL.
    const QUOTED: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'(')
        .add(b')')
        .add(b'`');
    let manual = read("shared/README.md");
    let links = manual.lines().filter(|line| line.starts_with('[') && line.ends_with(".svg"));

    let data = links.map(|link| {
        let (name, file) = link.split_once(": ").unwrap();
        let picture = read(&format!("shared/{file}"));
        format!("{name}: data:image/svg+xml,{}\n", utf8_percent_encode(&picture, QUOTED))
    });
    let data: String = data.collect();

    assert!(!data.is_empty());
    let kept = read("shared/pictures/rustdoc.md");
    if kept != data {
        std::fs::write(root().join("shared/pictures/rustdoc.md"), data).unwrap();
        panic!("shared/pictures/rustdoc.md was out of date, and is written anew: commit it");
    }
}
