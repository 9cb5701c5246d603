//! A document in Markdown, as a page of GitHub shows it.
//!
//! Invariant: two documents that look alike on the page are read alike, whichever of Markdown's
//! forms they use.

use std::collections::BTreeMap;
use std::mem;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The path from the root of the project: `docs/ARCHITECTURE.md`.
    pub path: String,
    /// The text.
    pub text: String,
    /// The sections, in their order. Each has what stands between its heading and the next one.
    pub sections: Vec<Section>,
}

/// A heading, and what stands between it and the next heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The text of the heading.
    pub heading: String,
    /// The part of a link behind the `#` that leads to the heading.
    ///
    /// GitHub makes it of the heading: in small letters, without punctuation, with `-` for a space.
    /// If an earlier heading of the document has it already, GitHub adds `-1`, then `-2`.
    pub anchor: String,
    /// The heading of the section around this one. Empty if there is none.
    pub parent: String,
    /// The paragraphs, each in one line and without markup.
    pub paragraphs: Vec<String>,
    /// The lines of the blocks that are marked `sh`, without comments.
    pub commands: Vec<String>,
    /// The inline code of each row of a table and of each item of a list.
    pub entries: Vec<Vec<String>>,
    /// All inline code, that of `entries` too.
    pub codes: Vec<String>,
    /// The links and the pictures, without those that lead to other sites.
    pub links: Vec<Link>,
}

/// A link to something in the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The file or the folder, as a path from the root of the project. If the link is only `#…`,
    /// the document itself.
    pub path: String,
    /// The part behind the `#`, if there is one.
    pub fragment: Option<String>,
}

impl Document {
    /// Reads a document.
    pub(crate) fn read(path: &str, text: &str) -> Document {
        let mut reader = Reader::default();
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            reader.take(path, event);
        }
        let sections = mem::take(&mut reader.sections);
        Document { path: path.to_owned(), text: text.to_owned(), sections }
    }
}

#[derive(Default)]
struct Reader {
    sections: Vec<Section>,
    /// The headings around the next one, by level.
    around: BTreeMap<HeadingLevel, String>,
    /// How often an anchor was made.
    anchors: BTreeMap<String, usize>,
    /// The text of the heading, the paragraph or the block that is open.
    words: String,
    block: Option<String>,
    entries: Vec<Vec<String>>,
}

impl Reader {
    fn take(&mut self, path: &str, event: Event<'_>) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                self.words.clear();
                self.sections.push(Section::default());
            }
            Event::Start(Tag::Paragraph) => self.words.clear(),
            Event::Start(Tag::CodeBlock(kind)) => {
                self.words.clear();
                self.block = match kind {
                    CodeBlockKind::Fenced(words) => Some(words.into_string()),
                    CodeBlockKind::Indented => None,
                };
            }
            Event::Start(Tag::Item | Tag::TableRow) => self.entries.push(Vec::new()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let link = link(path, &dest_url);
                self.section().links.extend(link);
            }
            Event::Text(text) => self.words += &text,
            Event::SoftBreak | Event::HardBreak => self.words.push(' '),
            Event::Code(code) => {
                self.words += &code;
                if let Some(entry) = self.entries.last_mut() {
                    entry.push(code.to_string());
                }
                self.section().codes.push(code.into_string());
            }
            Event::End(TagEnd::Heading(level)) => self.heading(level),
            Event::End(TagEnd::Paragraph) => {
                let paragraph = mem::take(&mut self.words);
                self.section().paragraphs.push(paragraph);
            }
            Event::End(TagEnd::CodeBlock) => {
                let lines = mem::take(&mut self.words);
                if self.block.take().as_deref() == Some("sh") {
                    let lines = lines.lines().map(str::trim);
                    let commands = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
                    self.section().commands.extend(commands.map(str::to_owned));
                }
            }
            Event::End(TagEnd::Item | TagEnd::TableRow) => {
                let entry = self.entries.pop().unwrap_or_default();
                self.section().entries.push(entry);
            }
            _ => {}
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let heading = mem::take(&mut self.words);
        self.around.retain(|around, _| *around < level);
        let parent = self.around.values().next_back().cloned().unwrap_or_default();
        self.around.insert(level, heading.clone());
        let plain = anchor(&heading);
        let earlier = self.anchors.entry(plain.clone()).or_default();
        let anchor = if *earlier == 0 { plain } else { format!("{plain}-{earlier}") };
        *earlier += 1;
        let section = self.section();
        (section.heading, section.anchor, section.parent) = (heading, anchor, parent);
    }

    /// The open section. What stands before the first heading has a section without a heading.
    fn section(&mut self) -> &mut Section {
        if self.sections.is_empty() {
            self.sections.push(Section::default());
        }
        self.sections.last_mut().expect("one was pushed")
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn link(document: &str, target: &str) -> Option<Link> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, fragment) = match target.split_once('#') {
        Some((file, fragment)) => (file, Some(fragment.to_owned())),
        None => (target, None),
    };
    if file.is_empty() {
        return Some(Link { path: document.to_owned(), fragment });
    }
    let mut path: Vec<&str> = document.split('/').collect();
    path.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            // A link that leaves the project keeps its dots, and names nothing there.
            ".." if path.last().is_some_and(|last| *last != "..") => drop(path.pop()),
            part => path.push(part),
        }
    }
    Some(Link { path: path.join("/"), fragment })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Section {
        let [section] = Document::read("docs/a.md", text).sections.try_into().unwrap();
        section
    }

    #[test]
    fn an_anchor_is_the_heading_in_small_letters_without_punctuation() {
        for (heading, expected) in [
            ("No server answers", "no-server-answers"),
            ("What now? (5432, or `PORT`)", "what-now-5432-or-port"),
            ("a_b - c", "a_b---c"),
            ("Größe: 2", "größe-2"),
        ] {
            assert_eq!(only(&format!("# {heading}")).anchor, expected);
        }
    }

    #[test]
    fn a_second_heading_of_the_same_anchor_has_a_number() {
        let sections = Document::read("a.md", "# A b\n# a b!\n# A b").sections;

        let anchors: Vec<&str> = sections.iter().map(|it| it.anchor.as_str()).collect();
        assert_eq!(anchors, ["a-b", "a-b-1", "a-b-2"]);
    }

    #[test]
    fn a_section_knows_the_one_around_it() {
        let sections = Document::read("a.md", "# A\n## B\n### C\n## D\n### E").sections;

        let underlined = Document::read("a.md", "A\n=\nB\n-\n### C\nD\n-\n### E").sections;

        let parents: Vec<&str> = sections.iter().map(|it| it.parent.as_str()).collect();
        assert_eq!(parents, ["", "A", "B", "A", "D"]);
        assert_eq!(sections, underlined);
    }

    #[test]
    fn commands_are_the_lines_of_blocks_that_are_marked_sh() {
        let text = "# A\n```sh\n# why\none\n\n two\n```\n~~~sh\nthree\n~~~\n```text\nno\n```\n\n    no\n\n- item\n\n  ```sh\n  four\n  ```\n";

        assert_eq!(only(text).commands, ["one", "two", "three", "four"]);
    }

    #[test]
    fn a_table_and_a_list_of_the_same_codes_are_the_same_entries() {
        let table = only("# A\n| `h` | d |\n|---|---|\n| `a` | `1` |\n| `b` | none |\n");
        let list = only("# A\n- `a` is `1`\n- `b`\n");

        assert_eq!(table.entries, [vec!["a", "1"], vec!["b"]]);
        assert_eq!(table.entries, list.entries);
        assert_eq!(list.codes, ["a", "1", "b"]);
    }

    #[test]
    fn a_link_is_a_path_from_the_root() {
        for (target, path, fragment) in [
            ("#b", "docs/a.md", Some("b")),
            ("b.md", "docs/b.md", None),
            ("../T.md#c", "T.md", Some("c")),
            ("./x/", "docs/x", None),
            ("../../T.md", "../T.md", None),
        ] {
            let expected = Link { path: path.into(), fragment: fragment.map(str::to_owned) };
            for text in [format!("[x]({target})"), format!("[x][y]\n\n[y]: {target}")] {
                assert_eq!(only(&text).links, std::slice::from_ref(&expected), "{text}");
            }
        }
        assert_eq!(only("# A\n[x](https://a.b/c.md)").links, []);
    }

    #[test]
    fn a_paragraph_is_one_line_without_markup() {
        assert_eq!(only("# A\n**Cause**: a `b`\n[c](d).").paragraphs, ["Cause: a b c."]);
    }
}
