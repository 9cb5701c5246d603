//! The files of the project: the right ones, unless `COURSE_FAULT` asks for others.

use std::collections::BTreeMap;

use crate::{edits, variants};

macro_rules! files {
    ($($path:literal),* $(,)?) => { [$(($path, include_str!(concat!("../specimen/", $path)))),*] };
}

const RIGHT: [(&str, &str); 16] = files![
    ".tool-versions",
    "TESTING.md",
    "data/prices",
    "docs/ARCHITECTURE.md",
    "errors/a-price-is-no-number-or-is-below-0.sh",
    "errors/no-server-answers.sh",
    "errors/the-schema-is-old.sh",
    "errors/there-is-no-report.sh",
    "migrations/1_prices.sql",
    "migrations/2_not_below_zero.sql",
    "run",
    "tests/load/rounds.sh",
    "tests/plain/milk.sh",
    "tests/plain/tea.sh",
    "tests/real/schema.sh",
    "tests/tiers",
];

/// Returns the files that `COURSE_FAULT` asks for, by their paths.
pub(crate) fn selected() -> BTreeMap<String, String> {
    let mut files = RIGHT.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    edits::apply(&mut files);
    variants::apply(&mut files);
    files
}
