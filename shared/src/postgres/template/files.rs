//! Files that a template is made of, or depends on. They are read when the test runs, so the
//! compiler need not know of them.

use std::cmp::Reverse;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::{Error, Heading};

/// A file, with its path below the folder that was named.
pub(super) struct File {
    pub(super) path: String,
    pub(super) content: Vec<u8>,
}

/// A step of a schema.
pub(super) struct Step {
    /// The file's path below the folder.
    pub(super) path: String,
    pub(super) text: String,
}

/// Tools that put both directions into one file, by the words of their marks.
const TWO_WAYS: [(&str, &str); 2] = [("dbmate", "migrate:down"), ("goose", "+goose Down")];

/// Reads a file, or all files of a folder and the folders in it, sorted by path. Hidden ones are
/// left out.
pub(super) fn read(path: &Path) -> Result<Vec<File>, Error> {
    let root = of_the_package(path);
    let is_hidden = |entry: &DirEntry| {
        entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.')
    };
    let found = WalkDir::new(&root).follow_links(true).sort_by_file_name().into_iter();
    let mut files = Vec::new();
    for entry in found.filter_entry(|entry| !is_hidden(entry)) {
        let entry = entry.map_err(|cause| unreadable(&root, &cause))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let content =
            std::fs::read(entry.path()).map_err(|cause| unreadable(entry.path(), &cause))?;
        let below = entry.path().strip_prefix(&root).unwrap_or(entry.path());
        let name = if below.as_os_str().is_empty() { Path::new(entry.file_name()) } else { below };
        files.push(File { path: name.to_string_lossy().into_owned(), content });
    }
    Ok(files)
}

/// The steps of a folder, in the order in which they are taken.
pub(super) fn steps(dir: &Path) -> Result<Vec<Step>, Error> {
    let mut files = read(dir)?;
    files.retain(|file| file.path.ends_with(".sql") && !is_way_back(&file.path));
    files.sort_by_cached_key(|file| order(&file.path));
    for pair in files.windows(2) {
        let [one, other] = [&pair[0].path, &pair[1].path];
        // The files of one folder are one step.
        if version(one).is_some() && version(one) == version(other) && first(one) != first(other) {
            return Err(Error::under(
                Heading::Template,
                format!("{one} and {other} have the same number"),
            )
            .fix("give one of the two files another name"));
        }
    }
    if files.is_empty() {
        let folder = of_the_package(dir);
        return Err(Error::under(
            Heading::Template,
            format!("there is no migration in {}", folder.display()),
        )
        .cause("a migration is a file that ends in .sql")
        .fix("name the folder of the migrations, as it is called from the package's folder"));
    }
    files.into_iter().map(step).collect()
}

/// cargo and nextest start a test in its package's folder. A debugger may not.
pub(super) fn of_the_package(path: impl AsRef<Path>) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| ".".into())).join(path)
}

fn unreadable(path: &Path, cause: &dyn Display) -> Error {
    Error::under(Heading::Template, format!("cannot read {}", path.display()))
        .cause(cause)
        .fix("name the file or the folder as it is called from the package's folder")
}

fn step(file: File) -> Result<Step, Error> {
    let path = file.path;
    let text = String::from_utf8(file.content).map_err(|cause| {
        Error::under(Heading::Template, format!("{path} is no text in UTF-8")).cause(cause)
    })?;
    let two_ways = TWO_WAYS
        .iter()
        .find(|(_, mark)| text.lines().any(|line| line.starts_with("--") && line.contains(mark)));
    match two_ways {
        Some((tool, _)) => Err(Error::under(
            Heading::Template,
            format!("{path} has the way there and the way back, for {tool}"),
        )
        .fix(format!("let {tool} do it: Template::program(\"{tool}\", …)"))),
        None => Ok(Step { path, text }),
    }
}

/// Whether a file undoes a step: `1_rooms.down.sql` (sqlx, golang-migrate), `1_rooms/down.sql`
/// (diesel), `U1__rooms.sql` (Flyway).
fn is_way_back(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let undoes = name.strip_prefix('U').is_some_and(|rest| {
        rest.starts_with(|digit: char| digit.is_ascii_digit()) && rest.contains("__")
    });
    name == "down.sql" || name.ends_with(".down.sql") || undoes
}

/// Numbers count as numbers, so 10 follows 9. What has no number comes last, as Flyway's repeatable
/// migrations do.
fn order(path: &str) -> (Reverse<bool>, Option<Vec<u64>>, String) {
    let version = version(path);
    (Reverse(version.is_some()), version, path.to_owned())
}

/// The number with which a file, or the first folder of its path, begins: `0001_rooms.sql`,
/// `2024-05-17-101500_rooms/up.sql`, `V2.1__rooms.sql`.
fn version(path: &str) -> Option<Vec<u64>> {
    let first = first(path);
    let first = first.strip_prefix('V').unwrap_or(first);
    let end =
        first.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(first.len());
    let numbers = first[..end].split(['.', '-']).filter(|part| !part.is_empty());
    let numbers: Option<Vec<u64>> = numbers.map(|part| part.parse().ok()).collect();
    numbers.filter(|numbers| !numbers.is_empty())
}

/// The file, or the first folder of its path.
fn first(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{read, steps};

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn order(paths: &[&str]) -> Vec<String> {
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, "SELECT 1")).collect();
        let steps = steps(folder(&files).path()).unwrap_or_else(|error| panic!("{error}"));
        steps.into_iter().map(|step| step.path).collect()
    }

    fn refused(files: &[(&str, &str)]) -> String {
        steps(folder(files).path()).err().unwrap().to_string()
    }

    #[test]
    fn the_files_of_every_tool_are_taken_in_its_order_and_never_back() {
        assert_eq!(order(&["10_b.sql", "9_a.sql", "readme.md"]), ["9_a.sql", "10_b.sql"]);
        assert_eq!(
            order(&["2_b.up.sql", "2_b.down.sql", "1_a.up.sql", "1_a.down.sql"]),
            ["1_a.up.sql", "2_b.up.sql"]
        );
        assert_eq!(
            order(&[
                "2024-05-17-101500_b/up.sql",
                "2024-05-17-101500_b/down.sql",
                "00000000000000_diesel/up.sql",
                "2024-05-02-090000_a/up.sql",
            ]),
            [
                "00000000000000_diesel/up.sql",
                "2024-05-02-090000_a/up.sql",
                "2024-05-17-101500_b/up.sql"
            ]
        );
        assert_eq!(
            order(&["R__views.sql", "V2.10__b.sql", "V2.9__a.sql", "U2.9__a.sql"]),
            ["V2.9__a.sql", "V2.10__b.sql", "R__views.sql"]
        );
        assert_eq!(order(&["schema.sql", "Users.sql", ".hidden.sql"]), ["Users.sql", "schema.sql"]);
    }

    #[test]
    fn what_cannot_be_run_in_one_order_is_refused_with_the_cure() {
        let twice = refused(&[("1_a.sql", ""), ("01_b.sql", "")]);
        assert!(twice.contains("have the same number"), "{twice}");
        let folders = refused(&[("1_a/up.sql", ""), ("1_b/up.sql", "")]);
        assert!(folders.contains("1_a/up.sql and 1_b/up.sql have the same number"), "{folders}");
        let none = refused(&[("notes.txt", "")]);
        assert!(none.contains("there is no migration in"), "{none}");
        let both = refused(&[("1_a.sql", "-- migrate:up\n\n-- migrate:down\nDROP TABLE a")]);
        assert!(both.contains("Template::program(\"dbmate\""), "{both}");
        let missing = steps(Path::new("no such folder")).err().unwrap().to_string();
        assert!(missing.contains("cannot read"), "{missing}");
    }

    #[test]
    fn a_file_is_read_as_well_as_a_folder() {
        let folder = folder(&[("b/c.toml", "1"), ("a.txt", "2"), (".git/x", "3")]);

        let paths = |path: &Path| -> Vec<String> {
            read(path).unwrap().into_iter().map(|file| file.path).collect()
        };

        assert_eq!(paths(folder.path()), ["a.txt", "b/c.toml"]);
        assert_eq!(paths(&folder.path().join("a.txt")), ["a.txt"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("b/around")).unwrap();
        let circle = read(folder.path()).err().unwrap().to_string();
        assert!(circle.contains("cannot read") && circle.contains("loop"), "{circle}");
    }
}
