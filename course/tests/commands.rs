//! Every command of the documents names what exists, and CI runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};

/// A command of a document, split into words.
#[derive(Debug)]
struct Typed {
    document: PathBuf,
    variables: Vec<String>,
    words: Vec<String>,
}

/// What runs a kind of command in CI: the beginning of the command, a file, and words of that file.
const RUN_BY: &[(&str, &str, &str)] = &[
    // `test-all` runs the tests of every package in both tiers; it is the first step of CI.
    ("cargo test", "course/src/test_all.rs", "cargo test --workspace --features integration"),
    ("cargo nextest run", "course/src/done.rs", "\"nextest\", \"run\", \"--profile\", \"ci\""),
    ("cargo course test-all", ".ci/run", "cargo course test-all --install"),
    ("cargo course dev check", ".ci/run", "cargo course dev check"),
    ("cargo course dev new", "course/tests/cli/dev.rs", "\"dev\", \"new\""),
    ("cargo course dev lint", ".ci/run", "cargo course dev lint --install"),
    ("cargo course dev done", ".ci/run", "cargo course dev done"),
    // Without a version it does the same for more of them.
    ("cargo course dev versions", ".ci/run", "cargo course dev versions 13 18"),
    // The least of the features: the others take minutes each.
    ("cargo course dev costs", ".ci/run", "cargo course dev costs seed"),
    ("cargo course setup", "course/src/test_all.rs", "setup::setup("),
    ("cargo course doctor", "course/tests/cli/machine.rs", "[\"doctor\"]"),
    ("cargo course check", "course/tests/cli/grading.rs", "\"check\""),
    ("cargo course next", "course/tests/cli/learning.rs", "[\"next\"]"),
    ("cargo course hint", "course/tests/cli/learning.rs", "[\"hint\"]"),
    ("cargo course hunt", "course/tests/cli/hunt.rs", "\"hunt\""),
    ("cargo course report", "course/tests/cli/reporting.rs", "\"report\""),
    ("cargo course reuse list", "course/tests/cli/machine.rs", "[\"reuse\", \"list\"]"),
    ("cargo course reuse stop", "course/tests/cli/machine.rs", "[\"reuse\", \"stop\"]"),
    ("cargo course shard", "course/tests/cli/shard.rs", "\"shard\""),
    ("cargo course quarantine --run", ".ci/run", "cargo course quarantine --run"),
    ("cargo course quarantine", "course/tests/cli/quarantine.rs", "\"quarantine\""),
    ("cargo course", "course/tests/cli/learning.rs", "course(&[])"),
    ("cargo doc", "course/src/lint.rs", "doc --quiet"),
    ("cargo fmt", "course/src/lint.rs", "fmt --all"),
    ("cargo deny check advisories", ".ci/run", "cargo deny check advisories"),
    // With one sample each.
    ("cargo bench", ".ci/run", "--bench postgres --bench redis --bench services --bench rounds"),
    // `dev lint` compiles the examples: one serves for ever, the other one writes over a file of the repository.
    ("cargo run", "course/src/lint.rs", "--all-targets"),
    // The program is built and run by the tests of the harness.
    ("cargo install", "shared/tests/it/sweep.rs", "CARGO_BIN_EXE_testenv"),
    ("just --list", "course/tests/tidy.rs", "justfile"),
    ("just test-all", "justfile", "cargo course test-all"),
    ("just test-integration", "justfile", "cargo test --workspace --features integration"),
    ("just test", "justfile", "cargo course test"),
    ("just check", "justfile", "cargo course check"),
    ("just watch", "justfile", "cargo course watch"),
    ("cargo course watch", "course/tests/cli/watch.rs", "\"watch\""),
    ("cargo course story", "course/tests/cli/learning.rs", "\"story\""),
    ("just lint", "justfile", "cargo course dev lint"),
    ("just setup", "justfile", "cargo course setup"),
];

#[test]
fn ci_runs_every_command_of_the_documents() {
    for typed in &all() {
        let shown = typed.words.join(" ");
        let of = |(start, ..): &&(&str, &str, &str)| {
            shown.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let (_, file, words) = RUN_BY.iter().find(of).unwrap_or_else(|| {
            panic!("{}: nothing in CI runs `{shown}`", typed.document.display())
        });
        assert!(read(&root().join(file)).contains(words), "`{shown}`: {file} has no `{words}`");
    }
}

#[test]
fn the_commands_of_the_documents_name_what_exists() {
    for typed in &all() {
        let shown = typed.words.join(" ");
        let place = format!("{}: `{shown}`", typed.document.display());
        let after = |flag: &str| {
            let at = typed.words.iter().position(|word| word == flag)?;
            typed.words.get(at + 1).map(String::as_str).filter(|word| !is_to_be_filled_in(word))
        };
        let Some(package) = after("-p") else { continue };
        let dir = [root().join(package), root().join("crates").join(package)];
        let dir = dir.iter().find(|dir| dir.is_dir());
        let dir = dir.unwrap_or_else(|| panic!("{place}: no package {package}"));
        for (flag, folder) in
            [("--test", "tests"), ("--example", "examples"), ("--bench", "benches")]
        {
            let Some(target) = after(flag) else { continue };
            let place_of = |name: String| dir.join(folder).join(name);
            assert!(
                place_of(format!("{target}.rs")).exists() || place_of(target.into()).is_dir(),
                "{place}"
            );
        }
        let manifest = read(&dir.join("Cargo.toml"));
        for feature in after("--features").into_iter().flat_map(|features| features.split(',')) {
            assert!(manifest.contains(feature), "{place}: no feature {feature}");
        }
        // Without the feature such a command would run no test, and that reads as a pass.
        let faults = dir.join("faults.toml");
        let faults = if faults.exists() { read(&faults) } else { String::new() };
        let gated = faults.lines().any(|line| line == "tier = \"integration\"");
        let runs_tests = ["test", "nextest"].contains(&typed.words[1].as_str());
        assert!(
            !gated || !runs_tests || after("--features") == Some("integration"),
            "{place}: the tests of {package} need --features integration"
        );
        for fault in typed.variables.iter().filter_map(|set| set.strip_prefix("COURSE_FAULT=")) {
            let line = format!("\nid = \"{fault}\"");
            assert!(
                is_to_be_filled_in(fault) || faults.contains(&line),
                "{place}: no fault {fault}"
            );
        }
    }
}

/// clap reads what stands before `--help`, and refuses a word, an option or a value that it does not know.
#[test]
fn the_course_knows_the_words_and_options_of_the_documents() {
    let course = |typed: &&Typed| {
        typed.words[0] == "cargo" && typed.words.get(1).is_some_and(|word| word == "course")
    };
    for typed in all().iter().filter(course) {
        let own = typed.words.iter().skip(2).take_while(|word| *word != "--");
        let said =
            Command::new(env!("CARGO_BIN_EXE_course")).args(own).arg("--help").output().unwrap();
        let words = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{}: {:?}: {words}", typed.document.display(), typed.words);
    }
}

#[test]
fn a_command_is_found_in_a_block_and_in_a_line() {
    let text = "Run `A=1 cargo test -p x` or\n\n    B=2 cargo course next\n\n```sh\njust test # all\n```\n\n```rust\n// cargo fmt\n```\n\n`cargo-nextest` and `cargo` are programs, `cargo:x=y` is a line.\n";

    let found: Vec<String> = typed(Path::new("a.md"), text)
        .iter()
        .map(|typed| format!("{:?} {}", typed.variables, typed.words.join(" ")))
        .collect();

    let expected = ["[\"A=1\"] cargo test -p x", "[\"B=2\"] cargo course next", "[] just test"];
    assert_eq!(found, expected);
}

/// The commands of all documents.
fn all() -> Vec<Typed> {
    let documents = walkdir::WalkDir::new(root()).into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !(name.starts_with('.') || name == "target")
    });
    let documents = documents.map(|entry| entry.unwrap().into_path());
    let documents = documents.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let all: Vec<Typed> = documents.flat_map(|path| typed(&path, &read(&path))).collect();
    assert!(all.len() > 100, "they are found");
    all
}

/// The commands of one document: lines of blocks for a shell, and code in a sentence.
fn typed(document: &Path, text: &str) -> Vec<Typed> {
    let mut in_shell = false;
    let mut found = Vec::new();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                in_shell = match kind {
                    CodeBlockKind::Indented => true,
                    CodeBlockKind::Fenced(words) => ["", "sh"].contains(&words.trim()),
                }
            }
            Event::End(_) => in_shell = false,
            Event::Code(code) => found.extend(command(document, &code)),
            Event::Text(lines) if in_shell => {
                found.extend(lines.lines().filter_map(|line| command(document, line)));
            }
            _ => {}
        }
    }
    found
}

/// A command of cargo or just, with more than the program's name. `…` stands for something that was shown before.
fn command(document: &Path, line: &str) -> Option<Typed> {
    let line = line.split(" # ").next().unwrap_or(line);
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let at = words.iter().position(|word| !word.contains('='))?;
    let (variables, words) = words.split_at(at);
    let is_ours = ["cargo", "just"].contains(&words[0].as_str()) && words.len() > 1;
    is_ours.then(|| Typed {
        document: document.strip_prefix(root()).unwrap_or(document).into(),
        variables: variables.to_vec(),
        words: words.to_vec(),
    })
}

/// `<test>`, `…` or `taskNN`: the reader's own.
fn is_to_be_filled_in(word: &str) -> bool {
    word.starts_with('<') || word == "…" || word.contains("NN") || word.contains('{')
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is a folder of the workspace").into()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
