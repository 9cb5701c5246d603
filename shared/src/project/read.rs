//! The tables of a `Cargo.toml`, with the lines of what stands there.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Image, Wanted, Wishes};
use crate::service::SERVICES;
use crate::{Error, Heading};

/// Settings that the harness makes itself, by service. Other services have no settings here: their
/// images take them from variables of their own.
const SETTINGS: [(&str, &[&str]); 2] = [
    (
        "postgres",
        &["data_directory", "hba_file", "listen_addresses", "port", "unix_socket_directories"],
    ),
    ("redis", &["bind", "daemonize", "databases", "dir", "port", "requirepass"]),
];

/// A table, or a value, with the file in which it stands.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    path: &'a Path,
    text: &'a str,
    value: Spanned<DeValue<'a>>,
}

/// A table.
pub(super) struct Table<'a> {
    path: &'a Path,
    text: &'a str,
    table: DeTable<'a>,
}

impl<'a> Table<'a> {
    pub(super) fn of(path: &'a Path, text: &'a str) -> Option<Table<'a>> {
        Some(Table { path, text, table: DeTable::parse(text).ok()?.into_inner() })
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry<'a>> {
        let (path, text) = (self.path, self.text);
        let (_, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(Entry { path, text, value: value.clone() })
    }

    pub(super) fn table(&self, key: &str) -> Option<Table<'a>> {
        self.get(key)?.table()
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.words()
    }

    /// The texts of a list.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        match self.get(key).map(|entry| entry.value.into_inner()) {
            Some(DeValue::Array(list)) => {
                list.iter().filter_map(|one| one.get_ref().as_str()).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Names, places and values.
    fn entries(&self) -> impl Iterator<Item = (&str, String, Entry<'a>)> {
        let (path, text) = (self.path, self.text);
        self.table.iter().map(move |(name, value)| {
            let place = place(path, text, name.span().start);
            (name.get_ref().as_ref(), place, Entry { path, text, value: value.clone() })
        })
    }
}

impl<'a> Entry<'a> {
    fn table(&self) -> Option<Table<'a>> {
        match self.value.get_ref() {
            DeValue::Table(table) => {
                Some(Table { path: self.path, text: self.text, table: table.clone() })
            }
            _ => None,
        }
    }

    /// A text that says something.
    fn words(&self) -> Option<String> {
        match self.value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    /// The value of a setting, as the server reads it.
    fn setting(&self) -> Option<String> {
        match self.value.get_ref() {
            DeValue::String(text) if !text.contains(['\n', '\r', '\0']) => Some(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            DeValue::Boolean(yes) => Some(if *yes { "on" } else { "off" }.to_owned()),
            _ => None,
        }
    }

    fn place(&self) -> String {
        place(self.path, self.text, self.value.span().start)
    }
}

fn place(path: &Path, text: &str, at: usize) -> String {
    let line =
        text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
    format!("{}:{line}", path.display())
}

/// The wishes of `[….metadata.testenv]`.
pub(super) fn wishes(testenv: &Entry<'_>) -> Result<Vec<(&'static str, Wishes)>, Error> {
    let services = testenv.table().ok_or_else(|| {
        let place = testenv.place();
        Error::under(Heading::Project, format!("{place}: `testenv` is no table"))
            .fix("[workspace.metadata.testenv.postgres]")
    })?;
    let mut wishes = Vec::new();
    for (name, place, entry) in services.entries() {
        let Some(service) = SERVICES.iter().find(|service| service.name == name) else {
            let known: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
            return Err(Error::under(
                Heading::Project,
                format!("{place}: the harness has no service `{name}`"),
            )
            .fix(format!("one of: {}", known.join(", "))));
        };
        let table = entry.table().ok_or_else(|| not_known(&place, name))?;
        wishes.push((service.name, of_service(service.name, &table)?));
    }
    Ok(wishes)
}

fn of_service(service: &'static str, table: &Table<'_>) -> Result<Wishes, Error> {
    let mut wishes = Wishes::default();
    for (key, place, entry) in table.entries() {
        let named = match key {
            "image" => entry.words().map(Wanted::Image),
            "version" => entry.words().map(Wanted::Version),
            "settings" => {
                wishes.settings = settings(service, &place, &entry)?;
                continue;
            }
            _ => None,
        };
        let name = named.ok_or_else(|| not_known(&place, key))?;
        if wishes.image.replace(Image { name, place: place.clone() }).is_some() {
            return Err(Error::under(
                Heading::Project,
                format!("{place}: an image and a version of another one"),
            )
            .fix("write the version behind the image: image = \"name:version\""));
        }
    }
    Ok(wishes)
}

fn not_known(place: &str, key: &str) -> Error {
    Error::under(Heading::Project, format!("{place}: `{key}` is nothing that the harness knows"))
        .fix("image = \"name:tag\", version = \"16\", or settings = { name = \"value\" }")
}

fn settings(service: &str, place: &str, entry: &Entry<'_>) -> Result<Vec<(String, String)>, Error> {
    let Some((_, ours)) = SETTINGS.iter().find(|(name, _)| *name == service) else {
        return Err(Error::under(
            Heading::Project,
            format!("{place}: {service} has no settings here"),
        )
        .fix("make an image with them, and write image = \"name:tag\""));
    };
    let table = entry.table().ok_or_else(|| not_known(place, "settings"))?;
    let mut settings = Vec::new();
    for (name, place, entry) in table.entries() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(&c);
        if ours.contains(&name.to_lowercase().as_str()) {
            return Err(Error::under(
                Heading::Project,
                format!("{place}: the harness sets `{name}` itself"),
            )
            .fix("remove this line"));
        }
        let value = entry.setting().filter(|_| !name.is_empty() && name.chars().all(is_word));
        let Some(value) = value else {
            return Err(Error::under(
                Heading::Project,
                format!("{place}: `{name}` has no value that a setting can have"),
            )
            .fix("name = \"value\", a number, true or false"));
        };
        settings.push((name.to_owned(), value));
    }
    settings.sort();
    Ok(settings)
}
