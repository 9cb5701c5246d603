//! A database in a file: dumped once, restored into a template, copied for every test.
//!
//! The file is what `pg_dump --inserts` writes, plus the settings of the database
//! (`ALTER DATABASE … SET`). It is plain SQL, which any client can run and any reviewer can read.
//! Owners and rights are left out, because roles belong to the server, and the next server has
//! others.
//!
//! ```no_run
//! # async fn test() {
//! let db = testenv::Template::sql("CREATE TABLE rooms (name TEXT)").fresh().await;
//! testenv::snapshot::dump(&db, "testdata/rooms.sql").await.unwrap();
//! # }
//! ```
//!
//! Invariant: the same content gives the same file, so a snapshot in a repository changes only when
//! its rows do.

mod program;

use std::path::Path;

use super::client;
use super::db::Db;
use super::template::Template;
use super::whole::Lacks;
use crate::{Error, Heading, error};

/// Writes the database to a file. [`Template::snapshot`] makes equal databases from this file.
///
/// The server's own `pg_dump` writes it: the one in the server's container, or the one beside the
/// server's programs. For a server of yours, it is a `pg_dump` of this machine that is at least as
/// new as the server. Uncommitted changes are not in the file.
///
/// # Errors
///
/// When there is no such program (the message says where it was searched and how to get one), when
/// the program was refused, when somebody holds a table's lock for ten seconds, or when the file
/// cannot be written.
///
/// ```no_run
/// # async fn test() {
/// use testenv::{Template, snapshot};
///
/// let db = testenv::fresh_db().await;
/// sqlx::query("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.org')").execute(db.pool()).await.unwrap();
/// snapshot::dump(&db, "testdata/one-user.sql").await.unwrap();
///
/// let copy = Template::snapshot("testdata/one-user.sql").fresh().await;
/// # }
/// ```
pub async fn dump(db: &Db, path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let text = program::dump(db).await?;
    let settings = settings(db).await.map_err(|cause| {
        Error::under(Heading::Snapshot, "the settings of the database cannot be read")
            .cause(client::said(&cause))
    })?;
    std::fs::write(path, without_numbers(&without_locks(&text)) + &settings).map_err(|cause| {
        Error::under(Heading::Snapshot, format!("the snapshot {} was not written", path.display()))
            .cause(cause)
    })
}

/// The settings that `pg_dump` leaves out, because they are not in the database: `ALTER DATABASE …
/// SET`.
async fn settings(db: &Db) -> sqlx::Result<String> {
    let lacks = Lacks::of(&mut *db.pool().acquire().await?, db.name()).await?;
    Ok(match lacks.settings() {
        settings if settings.is_empty() => settings,
        settings => format!("\n--\n-- Settings of the database\n--\n\n{settings}"),
    })
}

impl Template {
    /// A template from a file that [`dump`] wrote, or from any plain `pg_dump --inserts`. The
    /// file's content decides the template's name: other content is another template.
    ///
    /// A relative path begins at the folder of the package that the tests belong to. Cargo runs the
    /// tests there.
    ///
    /// The file may have the line ends and the Unicode encoding of any system. The texts in its
    /// rows stay as they are. If git rewrites line ends (`core.autocrlf`), a line `*.sql -text` in
    /// `.gitattributes` keeps git from changing rows.
    ///
    /// # Panics
    ///
    /// When the file cannot be read or is another kind of dump. The message says how to make the
    /// right kind.
    ///
    /// ```no_run
    /// # async fn test() {
    /// let db = testenv::Template::snapshot("../testdata/snapshot.sql").fresh().await;
    /// # }
    /// ```
    #[track_caller]
    pub fn snapshot(path: impl AsRef<Path>) -> Template {
        let path = path.as_ref();
        let sql = error::expect(read(path));
        Template::text(format!("the snapshot {}", path.display()), &sql)
    }
}

/// What a plain dump is recognised by.
const CURE: &str =
    "testenv::snapshot::dump(&db, path), or pg_dump --inserts --no-owner --no-privileges";

fn read(path: &Path) -> Result<String, Error> {
    let unusable = |cause: &dyn std::fmt::Display| {
        Error::under(
            Heading::Snapshot,
            format!("the snapshot {} cannot be restored", path.display()),
        )
        .cause(cause)
    };
    let bytes = std::fs::read(path).map_err(|cause| unusable(&cause).fix(CURE))?;
    if bytes.starts_with(b"PGDMP") {
        return Err(
            unusable(&"it is in pg_dump's own format, which only pg_restore reads").fix(CURE)
        );
    }
    let text = decoded(bytes).ok_or_else(|| {
        unusable(&"it is neither UTF-8 nor UTF-16 with a byte order mark")
            .fix(format!("{CURE} --encoding=UTF8"))
    })?;
    let mut makes_a_database = false;
    for (number, line) in (1..).zip(lines(&text).map(str::trim_end)) {
        if line.starts_with("COPY ") && line.ends_with(" FROM stdin;") {
            let why = format!("line {number}: only psql can read the rows after a COPY");
            return Err(unusable(&why).fix(CURE));
        }
        if line.starts_with("ALTER ") && line.contains(" OWNER TO ") && line.ends_with(';') {
            let why =
                format!("line {number}: it gives what it makes to another role than the test's");
            return Err(unusable(&why).fix(CURE));
        }
        makes_a_database |= line.starts_with("CREATE DATABASE ");
        if makes_a_database && line.starts_with("\\connect ") {
            let why =
                format!("line {number}: the dump makes a database of its own and connects to it");
            return Err(unusable(&why).fix(format!("{CURE}, without --create")));
        }
    }
    Ok(for_any_server(&without_locks(&text)))
}

/// The text of a file that an editor or a shell of any system saved, without the mark that tells
/// its encoding.
fn decoded(bytes: Vec<u8>) -> Option<String> {
    let utf16 = |pair: fn([u8; 2]) -> u16| {
        let pairs = bytes[2..].chunks(2).map(|bytes| Some(pair(bytes.try_into().ok()?)));
        String::from_utf16(&pairs.collect::<Option<Vec<u16>>>()?).ok()
    };
    match bytes[..] {
        [0xff, 0xfe, ..] => utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf16(u16::from_be_bytes),
        _ => {
            let text = String::from_utf8(bytes).ok()?;
            Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
        }
    }
}

/// The lines with the line ends of any system. The text of a line stays as it is, because it may
/// belong to a row.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = match rest.find(['\n', '\r']) {
            Some(at) if rest[at..].starts_with("\r\n") => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        let line;
        (line, rest) = rest.split_at(end);
        (!line.is_empty()).then_some(line)
    })
}

/// What ends the line.
fn end_of(line: &str) -> &str {
    &line[line.trim_end_matches(['\n', '\r']).len()..]
}

/// Removes the two lines with which newer versions make psql ignore backslashes between them. We
/// are not psql. The word in these lines is different each time.
///
/// The lines stay, empty, so a position that the server names is a position in the file.
fn without_locks(text: &str) -> String {
    let mut lines: Vec<&str> = lines(text).collect();
    let first = lines.iter().position(|line| !is_remark(line));
    let last = lines.iter().rposition(|line| !is_remark(line));
    // Only there, for between them it could be a line of somebody's text.
    for (at, word) in [(first, "\\restrict "), (last, "\\unrestrict ")] {
        if let Some(at) = at.filter(|at| lines[*at].starts_with(word)) {
            lines[at] = end_of(lines[at]);
        }
    }
    lines.concat()
}

/// Removes the numbers that a server gives its columns, which are different in each database.
/// `pg_dump` leaves them out. A `pg_dump` that is older than these numbers (for example 15.18 on a
/// server 15.20) takes them for options and writes them.
fn without_numbers(text: &str) -> String {
    // From there on it could be somebody's text.
    let rows = text.find("\n-- Data for Name: ").unwrap_or(text.len());
    let number =
        |line: &&str| line.starts_with("ALTER TABLE ") && line.contains(" SET (pg_attver=");
    let schema = text[..rows].split_inclusive('\n').filter(|line| !number(line));
    schema.chain([&text[rows..]]).collect()
}

/// Sets each setting at the head only if the server knows it. A newer `pg_dump` sets settings that
/// an older server does not know.
fn for_any_server(text: &str) -> String {
    let mut at_head = true;
    let lines = lines(text).map(|line| {
        at_head &= is_remark(line) || line.starts_with("SET ") || line.starts_with("SELECT pg_catalog.set_config(");
        match setting(line).filter(|_| at_head) {
            Some((name, value)) => format!(
                "SELECT pg_catalog.set_config(name, '{value}', false) FROM pg_catalog.pg_settings WHERE name = '{name}';{}",
                end_of(line)
            ),
            None => line.to_owned(),
        }
    });
    lines.collect()
}

/// Name and value of `SET name = value;`, the value without quotes.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) =
        line.trim_end().strip_prefix("SET ")?.strip_suffix(';')?.split_once(" = ")?;
    let value =
        value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
    Some((name, value)).filter(|_| !value.contains('\''))
}

fn is_remark(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict x9\n\nSET lock_timeout = 0;\nSET client_encoding = 'UTF8';\n\
                        SELECT pg_catalog.set_config('search_path', '', false);\n\nINSERT INTO t VALUES ('\n\\unrestrict x9\nSET a = 1;\n');\n\n\\unrestrict x9\n\n";

    #[test]
    fn a_dump_with_the_line_ends_of_any_system_is_read_and_its_texts_stay_as_they_are() {
        let unix = for_any_server(&without_locks(DUMP));
        for end in ["\r\n", "\r", " \r\n", "\n"] {
            let text = DUMP.replace('\n', end);

            let sql = for_any_server(&without_locks(&text));

            assert_eq!(lines(&sql).count(), lines(DUMP).count(), "{sql:?}");
            assert!(!sql.contains("\\restrict"), "{sql:?}");
            let kept = format!("('{end}\\unrestrict x9{end}SET a = 1;{end}');{end}");
            assert!(sql.contains(&kept), "{sql:?}");
            assert_eq!(
                sql.matches("pg_settings").count(),
                unix.matches("pg_settings").count(),
                "{sql:?}"
            );
        }
        // Between them, an end of another kind is somebody's.
        let mixed = "\\restrict x\r\nINSERT INTO t VALUES ('a\rb\nc\r\nd');\r\n\\unrestrict x\r\n";
        assert_eq!(without_locks(mixed), "\r\nINSERT INTO t VALUES ('a\rb\nc\r\nd');\r\n\r\n");
    }

    #[test]
    fn a_text_is_decoded_as_its_mark_says() {
        let utf16 = |pair: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}Žižek 猫".encode_utf16().flat_map(pair).collect()
        };

        for bytes in [
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
            "\u{feff}Žižek 猫".into(),
            "Žižek 猫".into(),
        ] {
            assert_eq!(decoded(bytes).as_deref(), Some("Žižek 猫"));
        }
        assert_eq!(decoded(b"\xff\xfe\x00".to_vec()), None);
        assert_eq!(decoded(b"caf\xe9".to_vec()), None);
        assert_eq!(decoded(Vec::new()).as_deref(), Some(""));
    }

    #[test]
    fn only_the_first_and_the_last_line_can_be_a_lock_of_psqls() {
        let open = without_locks(DUMP);

        assert_eq!(open.lines().count(), DUMP.lines().count());
        assert!(!open.contains("\\restrict"), "{open}");
        assert_eq!(
            open.matches("\\unrestrict x9").count(),
            1,
            "the one in somebody's text stays: {open}"
        );
    }

    #[test]
    fn a_number_of_a_column_is_left_out_and_a_row_that_looks_like_one_stays() {
        let line = "ALTER TABLE ONLY public.t ALTER COLUMN n SET (pg_attver=54776328);\n";
        let kept = "ALTER TABLE ONLY public.t ALTER COLUMN n SET (n_distinct=3);\n";
        let rows = format!(
            "\n-- Data for Name: t; Type: TABLE DATA\n\nINSERT INTO t VALUES ('\n{line}');\n"
        );

        assert_eq!(without_numbers(&format!("{kept}{line}{line}{rows}")), format!("{kept}{rows}"));
        assert_eq!(without_numbers(&format!("{line}{kept}")), kept);
    }

    #[test]
    fn a_setting_is_made_where_the_server_knows_it_and_a_text_stays_as_it_is() {
        let sql = for_any_server(&without_locks(DUMP));

        assert!(sql.contains("set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'lock_timeout';"), "{sql}");
        assert!(sql.contains("set_config(name, 'UTF8', false)"), "{sql}");
        assert!(sql.contains("\nSET a = 1;\n');"), "{sql}");
    }
}
