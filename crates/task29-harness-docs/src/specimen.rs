//! Selects the manual to judge: the right one, unless `COURSE_FAULT` asks for another.
//! Think about mistakes of your own before you read on.

use testenv::{by_fault, fault};

/// The harness with its manual. `front` is the front page if it is a separate file.
pub(crate) struct Specimen {
    pub(crate) source: String,
    pub(crate) front: Option<String>,
}

const RIGHT: &str = include_str!("../specimen/scratch.rs");

const KEEP: &str = "\
    /// ```
    /// let kept = scratch::fresh_dir().keep();
";

/// Returns the manual that `COURSE_FAULT` asks for.
pub(crate) fn selected() -> Specimen {
    if fault!("included-front") {
        return included_front();
    }
    let (was, is) = change();
    Specimen { source: changed(was, is), front: None }
}

fn change() -> (&'static str, &'static str) {
    by_fault! {
        "field-undocumented" => ("    /// Where it is.\n    pub path", "    pub path"),
        "macro-undocumented" => {
            let docs = "/// Returns a fresh folder with one file in it.\n///\n/// ```\n/// let dir = scratch::fresh_file!(\"note\", \"hello\");\n/// assert_eq!(dir.read(\"note\").unwrap(), \"hello\");\n/// ```\n";
            (docs, "")
        },
        "silenced" => (
            "    /// Where it is.\n    pub fn path",
            "    #[allow(missing_docs)]\n    pub fn path",
        ),
        "ignored" => (KEEP, "    /// ```ignore\n    /// let kept = scratch::fresh_dir().persist();\n"),
        "text-fence" => {
            let was = "/// ```\n/// let dir = scratch::fresh_file!(\"note\", \"hello\");\n";
            (was, "/// ```text\n/// let dir = scratch::with_file!(\"note\", \"hello\");\n")
        },
        "example-fails" => ("/// assert!(!path.exists());", "/// assert!(path.exists());"),
        "no-run-unsaid" => (KEEP, "    /// ```no_run\n    /// let kept = scratch::fresh_dir().keep();\n"),
        "link-broken" => ("[`Dir::keep`] is for", "[`Dir::persist`] is for"),
        "link-to-private" => ("that no other test has.", "that no other test has, named by [`unique`]."),
        "errors-unsaid" => (
            "    /// # Errors\n    ///\n    /// When there is no such file.\n",
            "    /// There should be such a file.\n",
        ),
        "panics-unsaid" => (
            "///\n/// # Panics\n///\n/// If no folder can be made below the temporary directory.\n",
            "",
        ),
        "figure-old" => ("can hold: 4096 bytes", "can hold: 1024 bytes"),
        "figure-elsewhere" => ("at most 4096 bytes, which", "at most 1024 bytes, which"),
        "hidden-line" => (
            "    /// let dir = scratch::fresh_dir();\n    /// dir.write",
            "    /// # let dir = scratch::fresh_dir();\n    /// dir.write",
        ),
        "first-test-outdated" => ("//!     mine.write(", "//!     mine.put("),
        "first-test-proves-nothing" => ("//!     assert!(yours.read(\"note\").is_err());\n", ""),
    }
    .unwrap_or_else(other_right_ones)
}

fn other_right_ones() -> (&'static str, &'static str) {
    by_fault! {
        "hidden-item" => {
            let hidden = "impl Dir {\n    #[doc(hidden)]\n    pub fn __remove(&self) -> io::Result<()> {\n        std::fs::remove_dir_all(&self.path)\n    }\n\n    /// Where";
            ("impl Dir {\n    /// Where", hidden)
        },
        "should-panic" => (
            "/// ```\n/// let long = \"x\".repeat(scratch::ROOM + 1);\n/// assert!(scratch::fresh_dir().write(\"long\", &long).is_err());\n",
            "/// ```should_panic\n/// let long = \"x\".repeat(scratch::ROOM + 1);\n/// scratch::fresh_dir().write(\"long\", &long).unwrap();\n",
        ),
        "no-run-with-reason" => (
            "    /// ```\n    /// let kept = scratch::fresh_dir().keep();\n    /// assert!(kept.path.exists());\n    /// std::fs::remove_dir_all(kept.path).unwrap();\n",
            "    /// Not run: it leaves a folder.\n    ///\n    /// ```no_run\n    /// let kept = scratch::fresh_dir().keep();\n    /// println!(\"ls {}\", kept.path.display());\n",
        ),
    }
    .unwrap_or_default()
}

fn included_front() -> Specimen {
    let (front, code): (Vec<&str>, Vec<&str>) =
        RIGHT.lines().partition(|line| line.starts_with("//!"));
    let front = front.iter().map(|line| line[3..].strip_prefix(' ').unwrap_or_default());
    Specimen {
        source: format!("#![doc = include_str!(\"front.md\")]\n{}\n", code.join("\n")),
        front: Some(front.collect::<Vec<_>>().join("\n") + "\n"),
    }
}

fn changed(was: &str, is: &str) -> String {
    if was.is_empty() {
        return RIGHT.to_owned();
    }
    assert_eq!(RIGHT.matches(was).count(), 1, "the specimen has this once: {was}");
    RIGHT.replacen(was, is, 1)
}
