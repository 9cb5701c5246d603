//! The identity of a template: when two templates are the same one.
//!
//! Invariant: two templates have the same name only if they have the same content, made by the same
//! role under the same settings.

use std::any::{TypeId, type_name};
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;

use super::files::{File, Step};
use crate::{Error, Heading};

/// The beginning of a template's name. 32 hexadecimal digits follow.
pub(super) const PREFIX: &str = "testenv_tpl_";

/// The first half of these digits, for names that need room for more.
pub(super) fn digits(template: &str) -> &str {
    &template[PREFIX.len()..][..16]
}

/// A hash that is the same in all versions of Rust, so a template on a kept server is found again
/// after an update.
struct Digest(Sha256);

impl Digest {
    fn of(kind: &str) -> Digest {
        // A template of an earlier version of the harness may lack something: count up, then it is built anew.
        Digest(Sha256::new()).with("2").with(kind)
    }

    /// The length goes first: `ab`, `c` is not `a`, `bc`.
    fn with(mut self, part: impl AsRef<[u8]>) -> Digest {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    /// The first 128 bits, because a name has at most 63 bytes.
    fn hex(self) -> String {
        self.0.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

pub(super) fn of_sql(text: &str) -> String {
    Digest::of("sql").with(text).hex()
}

pub(super) fn of_steps(steps: &[Step]) -> String {
    let each = steps
        .iter()
        .fold(Digest::of("steps"), |digest, step| digest.with(&step.path).with(&step.text));
    each.hex()
}

pub(super) fn of_program(words: &[String]) -> String {
    words.iter().fold(of_the_package("program"), Digest::with).hex()
}

/// The key of what `key` stands for, if it also depends on these files.
pub(super) fn with_files(key: &str, files: &[File]) -> String {
    let start = Digest::of("with files").with(key);
    let each = files.iter().fold(start, |digest, file| digest.with(&file.path).with(&file.content));
    each.hex()
}

pub(super) fn of_migrations(migrator: &Migrator) -> String {
    let head = Digest::of("migrations").with(&*migrator.table_name).with([migrator.no_tx.into()]);
    let head = migrator.create_schemas.iter().fold(head, |digest, schema| digest.with(&**schema));
    let each = migrator.iter().fold(head, |digest, migration| {
        digest
            .with(migration.version.to_be_bytes())
            .with(&*migration.description)
            .with(format!("{:?}", migration.migration_type))
            .with(&migration.checksum)
            .with([migration.no_tx.into()])
    });
    each.hex()
}

/// The digest of something that means another thing in another package.
fn of_the_package(kind: &str) -> Digest {
    let package = ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"].map(std::env::var_os);
    // A program that cargo did not start is its own package.
    let program = match &package {
        [Some(_), _] => None,
        [None, _] => std::env::current_exe().ok(),
    };
    [package[0].clone(), package[1].clone(), program.map(Into::into)]
        .into_iter()
        .flatten()
        .fold(Digest::of(kind), |digest, part| digest.with(part.as_encoded_bytes()))
}

/// The key of a function. A function is identified by its place (package, source file, path in the
/// crate) and by the version that its author gave it.
///
/// The crate's name is left out. Each test target compiles a helper module as its own, and all
/// targets should find one template.
///
/// # Panics
///
/// When another function of the same place has the same version. Only the version could tell them
/// apart.
pub(super) fn of_builder<F: 'static>(version: &str, caller: &Location<'_>) -> String {
    static KNOWN: Mutex<BTreeMap<String, TypeId>> = Mutex::new(BTreeMap::new());
    let name = type_name::<F>();
    let path = name.split_once("::").map_or(name, |(_crate, path)| path);
    let key = of_the_package("builder").with(caller.file()).with(path).with(version).hex();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let first = *known.entry(key.clone()).or_insert(TypeId::of::<F>());
    drop(known);
    assert!(
        first == TypeId::of::<F>(),
        "{}",
        Error::under(
            Heading::Template,
            format!("two functions of {name} build the template {version:?}")
        )
        .cause(format!("the second call is at {caller}; only the version tells them apart"))
        .fix("give each call of Template::build a version of its own")
    );
    key
}

/// The name on a server that was here before the run.
///
/// Besides the content, the name depends on everything that decides what a copy is, or who can use
/// it:
/// - the role: the tables belong to the role, and another role could neither copy the template nor
///   read them;
/// - what new databases of the server inherit: encoding and locale;
/// - settings of the session that change what a migration does, such as `search_path`;
/// - the database of the session, because the locks on the template are in this database (see
///   [`super::pin`]).
pub(super) async fn name_on_server(admin: &mut PgConnection, key: &str) -> sqlx::Result<String> {
    let parts: Vec<Option<String>> = sqlx::query_scalar(
        "SELECT unnest(ARRAY[current_user::text, current_database()::text,
            (SELECT string_agg(field.key || '=' || coalesce(field.value, ''), ' ' ORDER BY field.key)
             FROM pg_database AS base, jsonb_each_text(to_jsonb(base)) AS field
             WHERE base.datname = 'template1' AND field.key IN ('encoding', 'datcollate', 'datctype', 'datlocprovider',
                'daticulocale', 'datlocale', 'daticurules', 'datcollversion')),
            (SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
             WHERE source IN ('global', 'user', 'client') AND name <> 'application_name')])",
    )
    .fetch_all(admin)
    .await?;
    let start = Digest::of("on a server").with(key);
    let all = parts.into_iter().fold(start, |digest, part| digest.with(part.unwrap_or_default()));
    Ok(format!("{PREFIX}{}", all.hex()))
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::{of_builder, of_migrations, of_sql};
    use sqlx::SqlSafeStr;
    use sqlx::migrate::{Migration, MigrationType, Migrator};

    fn builder<F: Fn() + 'static>(version: &str, _builder: F) -> String {
        of_builder::<F>(version, Location::caller())
    }

    fn one() {}
    fn other() {}

    #[test]
    fn a_function_and_its_version_are_what_a_builder_is_known_by() {
        assert_eq!(builder("1", one), builder("1", one));
        assert_ne!(builder("1", one), builder("2", one));
        assert_ne!(builder("1", one), builder("1", other));
    }

    #[test]
    fn two_closures_of_one_function_with_one_version_are_refused() {
        let refused = std::panic::catch_unwind(|| {
            builder("3", || {});
            builder("3", || panic!("never called"));
        });

        let words = *refused.unwrap_err().downcast::<String>().unwrap();
        assert!(words.contains("to fix: give each call of Template::build a version"), "{words}");
    }

    #[test]
    fn the_hash_is_the_same_for_every_compiler() {
        assert_eq!(of_sql("CREATE TABLE rooms ()"), "54957ba78967dfe694718db504e846c0");
    }

    #[test]
    fn whatever_changes_what_migrations_do_makes_another_template() {
        let migrator = |kind, no_tx, description: &'static str| {
            let sql = "SELECT 1".into_sql_str();
            let one = Migration::new(1, description.into(), kind, sql, no_tx);
            Migrator::with_migrations(vec![one])
        };
        let plain = || migrator(MigrationType::Simple, false, "init");
        let mut table = plain();
        table.dangerous_set_table_name("_steps");
        let mut schema = plain();
        schema.create_schema("app");
        let all = [
            plain(),
            migrator(MigrationType::ReversibleUp, false, "init"),
            migrator(MigrationType::Simple, true, "init"),
            migrator(MigrationType::Simple, false, "rooms"),
            table,
            schema,
        ];

        let keys: std::collections::BTreeSet<String> = all.iter().map(of_migrations).collect();

        assert_eq!(keys.len(), all.len());
        assert_eq!(of_migrations(&plain()), of_migrations(&plain()));
    }
}
