//! The house's rules that no lint knows: each is said once in prose and here.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn tasks() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("crates")).unwrap();
    let mut tasks: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    tasks.sort();
    tasks
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Everything below the folder that git would take: no build directory, no state of the course.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let hidden = name(&path).starts_with('.') || name(&path) == "target";
            match path.is_dir() {
                true if !hidden => folders.push(path),
                false if name(&path).ends_with(ending) => found.push(path),
                _ => {}
            }
        }
    }
    found
}

#[test]
fn every_package_inherits_the_lints_and_the_rest() {
    let workspace: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    for manifest in
        files(&root(), "Cargo.toml").into_iter().filter(|path| path.parent() != Some(&root()))
    {
        let text = read(&manifest);
        // Somebody else's package has nothing to inherit.
        let strangers = root().join("shared/tests/strangers");
        if manifest.starts_with(strangers) || text.lines().any(|line| line == "[workspace]") {
            continue;
        }
        let of_the_harness = manifest.starts_with(root().join("shared"));
        for inherited in ["version", "edition", "rust-version", "license", "publish"] {
            let line = if of_the_harness {
                // Whoever copies the harness has values of their own.
                let value = &workspace["workspace"]["package"][inherited];
                let text = value.as_str().map(|text| format!("\"{text}\""));
                format!(
                    "{inherited} = {}",
                    text.unwrap_or_else(|| value.as_bool().unwrap().to_string())
                )
            } else {
                format!("{inherited}.workspace = true")
            };
            assert!(text.contains(&line), "{}: {line}", manifest.display());
        }
        assert!(
            text.contains("[lints]\nworkspace = true") || text.contains("lints.workspace = true"),
            "{}: lints",
            manifest.display()
        );
        let mut versions =
            text.lines().filter(|line| line.contains("version = \"") && !line.starts_with("rust-"));
        // The first one of the harness is the package's own.
        let own = versions.nth(usize::from(of_the_harness));
        assert_eq!(own, None, "{}: versions stand in the workspace", manifest.display());
    }
}

#[test]
fn files_are_short_enough_to_read() {
    let long = |path: &PathBuf, most: usize| read(path).lines().count() > most;
    let too_long: Vec<PathBuf> =
        files(&root(), ".rs").into_iter().filter(|path| long(path, 400)).collect();
    assert_eq!(too_long, Vec::<PathBuf>::new(), "more than 400 lines");

    for task in tasks() {
        assert!(
            !long(&task.join("Cargo.toml"), 20),
            "{}/Cargo.toml has more than 20 lines",
            name(&task)
        );
        assert!(
            !long(&task.join("src/lib.rs"), 150),
            "{}/src/lib.rs has more than 150 lines",
            name(&task)
        );
    }
}

/// clippy reads only the nearest `clippy.toml`, so a package's own file repeats the workspace's.
#[test]
fn a_clippy_toml_of_a_package_forbids_what_the_workspace_forbids() {
    let workspace = root().join("clippy.toml");
    let lines = read(&workspace);

    for own in files(&root(), "clippy.toml").into_iter().filter(|path| *path != workspace) {
        let text = read(&own);
        let missing: Vec<&str> =
            lines.lines().filter(|line| !text.lines().any(|own| own == *line)).collect();
        assert_eq!(missing, Vec::<&str>::new(), "{}", own.display());
    }
}

/// Whoever copies the harness takes its licences with it, and keeps those of the project.
#[test]
fn the_harness_has_the_licences_of_the_course() {
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        let (root, shared) = (root().join(name), root().join("shared").join(name));
        assert_eq!(read(&root), read(&shared), "{name}");
    }
}

#[test]
fn nothing_that_did_not_run_reads_as_passed() {
    let mark = concat!("#[ign", "ore");
    let specimens = |path: &PathBuf| {
        path.components()
            .any(|part| ["specimens", "adversarial"].contains(&part.as_os_str().to_str().unwrap()))
    };

    let ignored: Vec<PathBuf> = files(&root(), ".rs")
        .into_iter()
        .filter(|path| {
            !specimens(path) && read(path).lines().any(|line| line.trim_start().starts_with(mark))
        })
        .collect();

    assert_eq!(ignored, Vec::<PathBuf>::new());
}

#[test]
fn the_readme_lists_every_task_with_its_number_of_faults_and_its_time() {
    let readme = read(&root().join("README.md"));

    for task in tasks() {
        let faults = read(&task.join("faults.toml")).matches("[[fault]]").count();
        let link = format!("](crates/{})", name(&task));
        let row = readme
            .lines()
            .find(|line| line.contains(&link))
            .unwrap_or_else(|| panic!("README.md has no row for {}", name(&task)));
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[3], faults.to_string(), "{row}: it has {faults} faults");
        assert!(cells[4].starts_with(char::is_numeric), "{row}: how many hours does it take?");
    }
}

#[test]
fn the_readme_names_the_oldest_rust_that_the_workspace_builds_with() {
    let manifest = read(&root().join("Cargo.toml"));
    let version = manifest.split_once("rust-version = \"").unwrap().1.split('"').next().unwrap();

    assert!(read(&root().join("README.md")).contains(&format!("Rust {version} or later")));
}

#[test]
fn the_map_names_every_folder() {
    let map = read(&root().join("TESTING.md"));

    for folder in [
        "crates/",
        "shared/",
        "shared/images/",
        "shared/tests/it/",
        "course/",
        "migrations/",
        "testdata/",
        ".ci/run",
    ] {
        assert!(map.contains(&format!("`{folder}")), "TESTING.md does not name {folder}");
    }
}

#[test]
fn the_harness_names_no_command_that_exists_only_here() {
    let course = concat!("cargo ", "course");
    let sources = root().join("shared/src");
    // The one place that knows how this workspace calls the program.
    let cure = sources.join("cure.rs");

    let named: Vec<PathBuf> = files(&sources, "")
        .into_iter()
        .filter(|path| *path != cure && read(path).contains(course))
        .collect();

    assert_eq!(named, Vec::<PathBuf>::new(), "say `crate::cure::command(…)`");
}

#[test]
fn the_lints_are_listed_once() {
    for path in ["justfile", ".ci/run", ".github/workflows/integration.yml"] {
        let text = read(&root().join(path));

        assert!(text.contains("cargo course dev lint"), "{path} does not call the list");
        for lint in ["cargo clippy", "cargo fmt --all", "cargo doc --quiet", "deny check bans"] {
            assert!(!text.contains(lint), "{path}: `{lint}` belongs to course/src/lint.rs");
        }
    }
}

/// Without the line a leaked task goes unnoticed, for the test's runtime drops it.
#[test]
fn a_suite_that_may_look_for_leaked_tasks_does() {
    let without: Vec<String> = tasks()
        .into_iter()
        .filter(|task| read(&task.join("Cargo.toml")).contains("\"leaks\""))
        .filter(|task| {
            let suite = read(&task.join("tests/solution.rs"));
            !suite.lines().any(|line| line == "use testenv::leaks::tokio;")
        })
        .map(|task| name(&task))
        .collect();

    assert_eq!(without, Vec::<String>::new(), "write `use testenv::leaks::tokio;`");
}

/// On a page, lines that are no list run together in one paragraph.
#[test]
fn the_requirements_of_a_lesson_are_a_list_numbered_from_one() {
    for task in tasks() {
        let lesson = read(&task.join("README.md"));
        let (_, section) = lesson.split_once("\n## Requirements\n").expect("it has requirements");
        let section = section.split("\n## ").next().unwrap();
        let listed = section.lines().filter(|line| line.starts_with("- **R"));
        let ids = listed.map(|line| line[4..].split("**").next().unwrap().to_owned());
        let ids: Vec<String> = ids.collect();
        // The reader of requirements would pass these over, or add them to the one above.
        let is_stray = |line: &&str| {
            let start = line.trim_start_matches(|c: char| c.is_whitespace() || "-*+".contains(c));
            let number = start
                .strip_prefix('R')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            number && !line.starts_with("- **R")
        };
        let stray: Vec<&str> = section.lines().filter(is_stray).collect();

        let expected: Vec<String> = (1..=ids.len()).map(|number| format!("R{number}")).collect();
        assert!(!ids.is_empty(), "{}: write `- **R1** …`", name(&task));
        assert_eq!((ids, stray), (expected, vec![]), "{}", name(&task));
    }
}

/// On a page of rustdoc's the definitions of `lib.rs` count, for they are the first.
#[test]
fn each_lesson_leads_to_the_one_before_and_the_next() {
    let tasks = tasks();
    let title = |task: &PathBuf| {
        let lesson = read(&task.join("README.md"));
        lesson.lines().next().unwrap().split_once(": ").expect("`# Task 01: title`").1.to_owned()
    };
    for (at, task) in tasks.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| ("before", &tasks[at]));
        let next = tasks.get(at + 1).map(|task| ("next", task));
        let neighbours: Vec<(&str, &PathBuf)> = before.into_iter().chain(next).collect();
        let link = |(word, other): &(&str, &PathBuf)| {
            format!("{word}: [{}, {}][{word}]", &name(other)[4..6], title(other))
        };
        let definition =
            |(word, other): &(&str, &PathBuf)| format!("[{word}]: ../{}/README.md\n", name(other));
        let of_rustdoc = |(word, other): &(&str, &PathBuf)| {
            format!("[{word}]: ../{}/index.html\\n", name(other).replace('-', "_"))
        };
        let mut line = neighbours.iter().map(link).collect::<Vec<_>>().join(" · ");
        line[..1].make_ascii_uppercase();
        let end =
            format!("\n---\n\n{line}\n\n{}", neighbours.iter().map(definition).collect::<String>());
        let head =
            format!("#![doc = \"{}\"]", neighbours.iter().map(of_rustdoc).collect::<String>());

        let lesson = read(&task.join("README.md"));
        assert!(lesson.ends_with(&end), "{}/README.md ends with:\n{end}", name(task));
        let lib = read(&task.join("src/lib.rs"));
        assert!(lib.starts_with(&head), "{}/src/lib.rs begins with:\n{head}", name(task));
    }
}

/// Two or three primary sources, and no line that a terminal or a page wraps.
#[test]
fn every_lesson_names_its_sources_and_has_no_long_line() {
    for lesson in tasks().iter().map(|task| task.join("README.md")) {
        let (text, shown) = (read(&lesson), lesson.display());
        let (_, sources) = text.split_once("\n## Read on\n").expect("a lesson has sources");
        let named = sources.lines().filter(|line| line.starts_with("- [")).count();
        let links = sources.lines().filter(|line| line.contains("]: https://")).count();
        assert!(
            (2..=3).contains(&named) && named == links,
            "{shown}: {named} sources, {links} links"
        );
        for (at, line) in text.lines().enumerate() {
            assert!(line.chars().count() <= 120, "{shown}:{}: too long", at + 1);
        }
    }
}
