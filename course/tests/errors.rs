//! The manual explains every error of the harness, under the heading that the error names, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use testenv::Heading;

/// The first lines of errors by heading, with `…` for each value.
type Lines = BTreeMap<String, BTreeSet<String>>;

const ELLIPSIS: &str = "…";

#[test]
fn the_manual_has_the_headings_of_the_errors_and_no_others() {
    let written: Vec<String> = sections(&manual()).into_iter().map(|(title, _)| title).collect();

    let named: Vec<&str> = Heading::ALL.iter().map(|heading| heading.title()).collect();
    assert_eq!(written, named);
    for heading in Heading::ALL {
        // GitHub leaves out all but letters, digits, hyphens and underscores, and makes a space a hyphen.
        let kept = heading.title().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        assert_eq!(heading.anchor(), anchor);
    }
}

#[test]
fn every_error_of_the_harness_is_listed_under_its_heading() {
    let (given, unnamed) = errors_of(&sources());

    assert_eq!(unnamed, BTreeSet::new(), "write Error::under(Heading::…, \"…\")");
    let listed: Lines =
        sections(&manual()).into_iter().map(|(title, text)| (title, listed(&text))).collect();
    for (title, lines) in &listed {
        let missing = given.get(title).into_iter().flatten().filter(|line| !lines.contains(*line));
        let missing: Vec<&String> = missing.collect();
        assert!(missing.is_empty(), "`{title}` in TESTING.md does not list {missing:#?}");
        let gone: Vec<&String> = lines
            .iter()
            .filter(|line| !given.get(title).is_some_and(|all| all.contains(*line)))
            .collect();
        assert!(gone.is_empty(), "`{title}` in TESTING.md lists what no error says: {gone:#?}");
    }
}

#[test]
fn each_heading_has_a_cause_and_a_cure_with_a_command() {
    for (title, text) in sections(&manual()) {
        let part = |word: &str| {
            let start = text.find(word).unwrap_or_else(|| panic!("`{title}` has no {word}"));
            text[start + word.len()..].split("\n**").next().unwrap_or_default().trim().to_owned()
        };
        assert!(part("**Cause.**").len() > 40, "the cause of `{title}` says nothing");
        let cure = part("**Cure.**");
        assert!(
            cure.contains('`'),
            "the cure of `{title}` has no command, setting or call: {cure}"
        );
    }
}

#[test]
fn an_error_links_to_its_heading() {
    let error =
        testenv::Error::under(Heading::Kept, "the kept server cannot be used").fix("stop it");

    assert_eq!(
        error.to_string(),
        "the kept server cannot be used\n  to fix: stop it\n  more: TESTING.md#a-kept-server-cannot-be-used"
    );
}

#[test]
fn an_error_is_found_however_it_is_written() {
    let source = r#"
        fn a() -> Result<(), Error> { Err(Error::under(Heading::Docker, "one")) }
        fn b() { panic!("{}", crate::Error::under(Heading::Docker, format!("two {x} of {}", y)).cause(c)) }
        fn c() { e.map_err(|_| Error::under( Heading::Kept, "three \
            {lines}" )) }
        fn d() { Error::new("four"); io::Error::new(kind, "five"); Error::under(heading, text); Error::told(six); }
        #[cfg(test)] mod tests { fn e() { Error::new("seven"); } }
    "#;
    let mut found = (Lines::new(), BTreeSet::new());

    search(&source.parse().unwrap(), Path::new("a.rs"), &mut found);

    let set = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(found.0["Docker"], set(&["one", "two … of …"]));
    assert_eq!(found.0["Kept"], set(&["three {lines}"]));
    assert_eq!(found.1, set(&["a.rs: Error::new(\"four\")", "a.rs: Error::under(heading , text)"]));
}

/// Errors by the title of their heading, and those that name none or whose text is computed.
fn errors_of(sources: &[(PathBuf, String)]) -> (Lines, BTreeSet<String>) {
    let mut found = (Lines::new(), BTreeSet::new());
    for (path, text) in sources {
        search(&text.parse().unwrap(), path, &mut found);
    }
    let title = |name: &String| {
        let heading = Heading::ALL.iter().find(|heading| format!("{heading:?}") == *name);
        heading.unwrap_or_else(|| panic!("no heading {name}")).title().to_owned()
    };
    (found.0.into_iter().map(|(name, lines)| (title(&name), lines)).collect(), found.1)
}

/// Looks through the tokens, also those inside of macros, but not through tests.
fn search(tokens: &TokenStream, path: &Path, found: &mut (Lines, BTreeSet<String>)) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if is_cfg_test(rest) {
            at += 2;
            // The item ends with its braces, or with a semicolon.
            while at < tokens.len() && !is_end(&tokens[at]) {
                at += 1;
            }
        } else if let Some((call, arguments)) = constructor(rest) {
            let before = at.checked_sub(3).map(|at| tokens[at].to_string());
            if before.as_deref() != Some("io") && call != "told" {
                match read(&arguments).filter(|_| call == "under") {
                    Some((heading, line)) => drop(found.0.entry(heading).or_default().insert(line)),
                    None => {
                        found.1.insert(format!("{}: Error::{call}({arguments})", path.display()));
                    }
                }
            }
            search(&arguments, path, found);
            at += 4;
        } else if let TokenTree::Group(group) = &tokens[at] {
            search(&group.stream(), path, found);
        }
        at += 1;
    }
}

fn is_cfg_test(tokens: &[TokenTree]) -> bool {
    let [hash, TokenTree::Group(attribute), ..] = tokens else { return false };
    let text = attribute.stream().to_string();
    hash.to_string() == "#" && text.starts_with("cfg") && text.replace(' ', "") == "cfg(test)"
}

fn is_end(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => other.to_string() == ";",
    }
}

/// `Error::new(…)`, `under(…)` or `told(…)`: which one, and its arguments.
fn constructor(tokens: &[TokenTree]) -> Option<(String, TokenStream)> {
    let [name, colon, other_colon, call, TokenTree::Group(arguments), ..] = tokens else {
        return None;
    };
    let is_path = name.to_string() == "Error" && format!("{colon}{other_colon}") == "::";
    let call = call.to_string();
    (is_path && ["new", "under", "told"].contains(&call.as_str()))
        .then(|| (call, arguments.stream()))
}

/// `Heading::Name, "text"` or `Heading::Name, format!("text", …)`.
fn read(arguments: &TokenStream) -> Option<(String, String)> {
    let tokens: Vec<TokenTree> = arguments.clone().into_iter().collect();
    let [enumeration, _, _, heading, _, text, rest @ ..] = &tokens[..] else { return None };
    if enumeration.to_string() != "Heading" {
        return None;
    }
    let (literal, is_format) = match (text, rest) {
        (TokenTree::Literal(literal), _) => (literal.clone(), false),
        (TokenTree::Ident(name), [_, TokenTree::Group(group), ..]) if name == "format" => {
            match group.stream().into_iter().next() {
                Some(TokenTree::Literal(literal)) => (literal, true),
                _ => return None,
            }
        }
        _ => return None,
    };
    let text = syn::parse_str::<syn::LitStr>(&literal.to_string()).ok()?.value();
    Some((heading.to_string(), if is_format { without_values(&text) } else { text }))
}

/// The text with `…` in place of each `{value}`.
fn without_values(format: &str) -> String {
    let mut parts = format.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + ELLIPSIS + part.split_once('}').map_or(part, |(_value, after)| after)
    })
}

/// The third-level sections of `## Troubleshooting`: title and text.
fn sections(manual: &str) -> Vec<(String, String)> {
    let (_, after) = manual.split_once("\n## Troubleshooting\n").expect("the section is there");
    let troubleshooting = after.split("\n## ").next().unwrap_or_default();
    let mut sections = troubleshooting.split("\n### ");
    sections.next();
    sections.map(|section| section.split_once('\n').expect("it has a text")).map(own).collect()
}

fn own((title, text): (&str, &str)) -> (String, String) {
    (title.to_owned(), text.to_owned())
}

/// The list items that begin with code: what errors say.
fn listed(section: &str) -> BTreeSet<String> {
    let lines = section.lines().filter_map(|line| line.strip_prefix("- `")?.strip_suffix('`'));
    // A text with backticks in it stands between two.
    let lines = lines.map(|line| line.trim_matches('`').trim());
    lines.map(str::to_owned).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is a folder of the workspace").into()
}

fn manual() -> String {
    std::fs::read_to_string(root().join("TESTING.md")).unwrap()
}

fn sources() -> Vec<(PathBuf, String)> {
    let all =
        walkdir::WalkDir::new(root().join("shared/src")).into_iter().map(|entry| entry.unwrap());
    let files = all.map(walkdir::DirEntry::into_path).filter(|path| {
        let name = path.file_name().unwrap_or_default();
        // error.rs defines what is searched for.
        path.extension().is_some_and(|end| end == "rs") && name != "tests.rs" && name != "error.rs"
    });
    files.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}
