//! What a test's source says about the test's end. libtest tells nobody which of its tests failed,
//! but only some tests can fail without a panic, and some must panic.
//!
//! The source is read when a process ends in which a test failed, and only to choose between
//! several tests. If a test is not found here, its panic decides.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A package with more files is not searched.
const MOST_FILES: usize = 2000;

/// How a test may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// It must panic to pass.
    pub(super) should_panic: bool,
    /// It returns something, so it may return `Err`.
    pub(super) returns: bool,
}

/// The kinds of the tests whose source is found in the package without doubt.
pub(super) fn kinds<'a>(tests: impl Iterator<Item = &'a str>) -> HashMap<String, Kind> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let texts: Vec<String> = package.map(|package| sources(&package)).unwrap_or_default();
    tests.filter_map(|test| Some((test.to_owned(), kind(test, &texts)?))).collect()
}

/// The texts of a package's Rust files.
fn sources(package: &Path) -> Vec<String> {
    let mut dirs = vec![package.to_owned()];
    let mut texts = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            // A link may lead around in a circle.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && name != "target" && !name.starts_with('.') => {
                    dirs.push(path);
                }
                Ok(kind) if kind.is_file() && name.ends_with(".rs") => {
                    texts.extend(std::fs::read_to_string(path).ok());
                }
                _ => {}
            }
        }
        if texts.len() > MOST_FILES {
            return Vec::new();
        }
    }
    texts
}

/// The kind of the test, if all functions of its name agree.
fn kind(test: &str, texts: &[String]) -> Option<Kind> {
    // What makes a test of each case of a table puts the case behind the function's name.
    test.rsplit("::").find_map(|name| {
        let mut kinds = texts.iter().flat_map(|text| functions(text, name));
        let first = kinds.next()?;
        kinds.all(|kind| kind == first).then_some(first)
    })
}

/// The kinds of all functions of this name.
fn functions<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = Kind> + 'a {
    let start = format!("fn {name}");
    let begins =
        text.match_indices(&start).map(|(at, start)| (at, at + start.len())).collect::<Vec<_>>();
    begins.into_iter().filter_map(move |(at, end)| {
        let rest = text[end..].strip_prefix(['(', '<'])?;
        let signature = rest.split('{').next().unwrap_or_default();
        // Attributes and remarks, up to the end of whatever stands above.
        let above = text[..at].lines().rev().skip(usize::from(!text[..at].ends_with('\n')));
        let attributes = above
            .map(str::trim)
            .take_while(|line| !line.is_empty() && !line.ends_with(['{', '}', ';']));
        let should_panic = attributes
            .filter(|line| !line.starts_with("//"))
            .any(|line| line.contains("should_panic"));
        let returned = signature.rsplit_once("->").map(|(_, returned)| returned.trim());
        Some(Kind {
            should_panic,
            returns: returned.is_some_and(|returned| !matches!(returned, "()" | "!")),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind};

    const TEXT: &str = r#"
use x;
#[test]
fn plain() {}

#[tokio::test]
async fn returns() -> Result<(), Box<dyn Error>> { Ok(()) }

/// Not this: #[should_panic]
#[test]
#[should_panic(
    expected = "x"
)]
fn panics() { }
#[test]
fn above_it_is_another() -> () {
}
    #[rstest]
    #[case(1)]
    fn table(#[case] n: i32) -> anyhow::Result<()> { }
fn plain_too() -> u8 { 1 }
fn twice() {}
fn twice() -> u8 { 1 }
"#;

    #[test]
    fn a_test_is_known_by_its_attributes_and_by_what_it_returns() {
        let of = |test| kind(test, &[TEXT.to_owned()]);
        let known = |should_panic, returns| Some(Kind { should_panic, returns });

        assert_eq!(of("a::plain"), known(false, false));
        assert_eq!(of("returns"), known(false, true));
        assert_eq!(of("panics"), known(true, false));
        assert_eq!(of("above_it_is_another"), known(false, false));
        assert_eq!(of("m::table::case_1"), known(false, true));
        assert_eq!(of("twice"), None);
        assert_eq!(of("nowhere"), None);
    }
}
