//! The entries of a quarantine.

use std::fmt;

use serde::Deserialize;
use testenv::fault;

pub use jiff::civil::Date;

/// A test in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The package of the test.
    pub package: String,
    /// The whole name of the test: `cart::a_price_is_kept`.
    pub test: String,
    /// Why the test fails now and then, as far as it is known.
    pub reason: String,
    /// Who mends it.
    pub owner: String,
    /// The last day in quarantine.
    pub until: Date,
}

/// Why the file cannot be read. The text names the line, or the entry and what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file =
            if fault!("other-words") { "The quarantine cannot be read" } else { "quarantine.toml" };
        write!(f, "{file}: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    test: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    package: Option<String>,
    test: Option<String>,
    reason: Option<String>,
    owner: Option<String>,
    until: Option<toml::value::Datetime>,
}

/// Reads a `quarantine.toml`: an entry for each `[[test]]`, in their order.
///
/// # Errors
///
/// When the text is not TOML, has an unknown key, or an entry lacks something.
pub fn read(text: &str) -> Result<Vec<Entry>, Malformed> {
    let file: File = toml::from_str(text).map_err(|error| Malformed(error.to_string()))?;
    file.test.into_iter().enumerate().map(|(at, raw)| entry(at + 1, raw)).collect()
}

fn entry(number: usize, raw: Raw) -> Result<Entry, Malformed> {
    let name = raw.test.clone().unwrap_or_else(|| format!("entry {number}"));
    let needed = |key: &str, value: Option<String>| {
        let is_there = |text: &String| fault!("empty-is-said") || !text.trim().is_empty();
        value.filter(is_there).ok_or_else(|| Malformed(format!("{name} has no {key}")))
    };
    let owner = match fault!("nobody-owns-it") {
        true => raw.owner.unwrap_or_default(),
        false => needed("owner", raw.owner)?,
    };
    let until = match raw.until {
        None if fault!("for-ever") => Date::MAX,
        until => {
            let until = needed("until", until.map(|until| until.to_string()))?;
            let read: Result<Date, _> = until.parse();
            let read = if fault!("whole-months") { read.map(Date::last_of_month) } else { read };
            read.map_err(|_| Malformed(format!("{name}: until = {until} is no day")))?
        }
    };
    Ok(Entry {
        package: needed("package", raw.package)?,
        test: needed("test", raw.test)?,
        reason: needed("reason", raw.reason)?,
        owner,
        until,
    })
}
