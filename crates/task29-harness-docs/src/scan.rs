//! Reads from a manual's text what a reader finds there.
//!
//! The text must be formatted by rustfmt: each item begins on a line of its own, with its docs on
//! the lines above.

/// A fenced block of the manual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The file and the line of the block's fence, in rustdoc's form: `scratch.rs:35`.
    pub at: String,
    /// The words behind the fence: nothing, `no_run`, `text`.
    pub words: String,
    /// The lines that a reader sees.
    pub code: String,
    /// The lines that only the compiler sees, without their `#`.
    pub hidden: Vec<String>,
    /// The last line of prose above the block.
    pub above: String,
    /// The heading above the block. Empty if there is none.
    pub heading: String,
    /// The result of rustdoc.
    pub outcome: Outcome,
}

/// The result of `rustdoc --test` for an [`Example`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The example ran as it should. For `should_panic`, it panicked.
    Ran,
    /// The example was compiled and not run.
    Compiled,
    /// The example was neither compiled nor run.
    Ignored,
    /// The compiler refused the example, or the example failed.
    Failed,
    /// Rustdoc does not consider the block Rust, and ignored it.
    NotCode,
}

/// A function or a method, as rustdoc shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its docs without examples. Empty if there are none.
    pub docs: String,
    /// The return type as written: `io::Result<String>`. Empty if the function returns nothing.
    pub returns: String,
}

/// A constant, as rustdoc shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    /// Its name.
    pub name: String,
    /// Its docs without examples. Empty if there are none.
    pub docs: String,
    /// Its value, as written: `4096`.
    pub value: String,
}

/// Returns the functions of a source text.
pub(crate) fn functions(source: &str) -> Vec<Function> {
    let found = items(source, "pub fn ").into_iter().filter_map(|(docs, line)| {
        let (name, rest) = line.split_once('(')?;
        let returns = rest.rsplit_once(" -> ").map_or("", |(_, returns)| returns);
        let returns = returns.trim_end_matches('{').trim().to_owned();
        Some(Function { name: name.to_owned(), docs, returns })
    });
    found.collect()
}

/// Returns the constants of a source text.
pub(crate) fn constants(source: &str) -> Vec<Constant> {
    let found = items(source, "pub const ").into_iter().filter_map(|(docs, line)| {
        let (name, rest) = line.split_once(':')?;
        let (_, value) = rest.trim_end_matches(';').split_once(" = ")?;
        Some(Constant { name: name.to_owned(), docs, value: value.to_owned() })
    });
    found.collect()
}

/// Returns the fenced blocks of a page, without outcomes.
pub(crate) fn blocks(page: &str, text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut open: Option<Example> = None;
    let (mut heading, mut above) = (String::new(), String::new());
    for (at, line) in text.lines().enumerate() {
        let Some(line) = prose(page, line) else {
            (heading, above) = (String::new(), String::new());
            continue;
        };
        match (line.strip_prefix("```"), &mut open) {
            (Some(words), None) => {
                open = Some(Example {
                    at: format!("{page}:{}", at + 1),
                    words: words.to_owned(),
                    code: String::new(),
                    hidden: Vec::new(),
                    above: above.clone(),
                    heading: heading.clone(),
                    outcome: Outcome::NotCode,
                });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(block)) => match line.trim_start().strip_prefix("# ") {
                Some(hidden) => block.hidden.push(hidden.to_owned()),
                None => block.code += &format!("{line}\n"),
            },
            (None, None) => {
                if let Some(title) = line.strip_prefix("# ") {
                    title.clone_into(&mut heading);
                }
                if !line.is_empty() {
                    line.clone_into(&mut above);
                }
            }
        }
    }
    found
}

/// Returns a line of docs without its marks, or `None` for a line of code.
fn prose<'a>(page: &str, line: &'a str) -> Option<&'a str> {
    if !page.ends_with(".rs") {
        return Some(line);
    }
    let line = line.trim_start();
    let line = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
    Some(line.strip_prefix(' ').unwrap_or(line))
}

/// Returns the items that rustdoc shows: docs without examples, and the text after the keyword.
fn items<'a>(source: &'a str, keyword: &str) -> Vec<(String, &'a str)> {
    let mut found = Vec::new();
    let (mut docs, mut in_fence, mut is_hidden) = (String::new(), false, false);
    for line in source.lines() {
        let line = line.trim_start();
        if let Some(text) = line.strip_prefix("///").map(str::trim) {
            if text.starts_with("```") {
                in_fence = !in_fence;
            } else if !in_fence {
                docs += &format!("{text}\n");
            }
        } else if line.starts_with("#[") {
            is_hidden |= line.contains("doc(hidden)");
        } else {
            if let Some(item) = line.strip_prefix(keyword).filter(|_| !is_hidden) {
                found.push((docs.trim().to_owned(), item));
            }
            (docs, in_fence, is_hidden) = (String::new(), false, false);
        }
    }
    found
}
