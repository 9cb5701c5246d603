//! Selects the manual to judge: the right one, unless `COURSE_FAULT` asks for another.
//! Think about mistakes of your own before you read on.

use testenv::fault;

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
    if fault!("field-undocumented") {
        return ("    /// Where it is.\n    pub path", "    pub path");
    }
    if fault!("macro-undocumented") {
        let docs = "/// Returns a fresh folder with one file in it.\n///\n/// ```\n/// let dir = scratch::fresh_file!(\"note\", \"hello\");\n/// assert_eq!(dir.read(\"note\").unwrap(), \"hello\");\n/// ```\n";
        return (docs, "");
    }
    if fault!("silenced") {
        return (
            "    /// Where it is.\n    pub fn path",
            "    #[allow(missing_docs)]\n    pub fn path",
        );
    }
    if fault!("ignored") {
        return (KEEP, "    /// ```ignore\n    /// let kept = scratch::fresh_dir().persist();\n");
    }
    if fault!("text-fence") {
        let was = "/// ```\n/// let dir = scratch::fresh_file!(\"note\", \"hello\");\n";
        return (was, "/// ```text\n/// let dir = scratch::with_file!(\"note\", \"hello\");\n");
    }
    if fault!("example-fails") {
        return ("/// assert!(!path.exists());", "/// assert!(path.exists());");
    }
    if fault!("no-run-unsaid") {
        return (KEEP, "    /// ```no_run\n    /// let kept = scratch::fresh_dir().keep();\n");
    }
    if fault!("link-broken") {
        return ("[`Dir::keep`] is for", "[`Dir::persist`] is for");
    }
    if fault!("link-to-private") {
        return ("that no other test has.", "that no other test has, named by [`unique`].");
    }
    if fault!("errors-unsaid") {
        return (
            "    /// # Errors\n    ///\n    /// When there is no such file.\n",
            "    /// There should be such a file.\n",
        );
    }
    if fault!("panics-unsaid") {
        return (
            "///\n/// # Panics\n///\n/// If no folder can be made below the temporary directory.\n",
            "",
        );
    }
    if fault!("figure-old") {
        return ("can hold: 4096 bytes", "can hold: 1024 bytes");
    }
    if fault!("figure-elsewhere") {
        return ("at most 4096 bytes, which", "at most 1024 bytes, which");
    }
    if fault!("hidden-line") {
        return (
            "    /// let dir = scratch::fresh_dir();\n    /// dir.write",
            "    /// # let dir = scratch::fresh_dir();\n    /// dir.write",
        );
    }
    if fault!("first-test-outdated") {
        return ("//!     mine.write(", "//!     mine.put(");
    }
    if fault!("first-test-proves-nothing") {
        return ("//!     assert!(yours.read(\"note\").is_err());\n", "");
    }
    other_right_ones()
}

fn other_right_ones() -> (&'static str, &'static str) {
    if fault!("hidden-item") {
        let hidden = "impl Dir {\n    #[doc(hidden)]\n    pub fn __remove(&self) -> io::Result<()> {\n        std::fs::remove_dir_all(&self.path)\n    }\n\n    /// Where";
        return ("impl Dir {\n    /// Where", hidden);
    }
    if fault!("should-panic") {
        return (
            "/// ```\n/// let long = \"x\".repeat(scratch::ROOM + 1);\n/// assert!(scratch::fresh_dir().write(\"long\", &long).is_err());\n",
            "/// ```should_panic\n/// let long = \"x\".repeat(scratch::ROOM + 1);\n/// scratch::fresh_dir().write(\"long\", &long).unwrap();\n",
        );
    }
    if fault!("no-run-with-reason") {
        return (
            "    /// ```\n    /// let kept = scratch::fresh_dir().keep();\n    /// assert!(kept.path.exists());\n    /// std::fs::remove_dir_all(kept.path).unwrap();\n",
            "    /// Not run: it leaves a folder.\n    ///\n    /// ```no_run\n    /// let kept = scratch::fresh_dir().keep();\n    /// println!(\"ls {}\", kept.path.display());\n",
        );
    }
    ("", "")
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
