#![doc = "[before]: ../task07_kafka/index.html\n[next]: ../task09_cleanup_leaks/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod faults;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Error};

/// The workspace's `migrations/`, as they were when this crate was compiled.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

const SEED: &str = include_str!("../../../testdata/seed.sql");
const MAKE_ROLE: &str = include_str!("role.sql");
const READER: &str = include_str!("reader.sql");

/// The placeholder in [`MAKE_ROLE`] and [`READER`] for the role's name.
const READER_ROLE: &str = "shop_reader";

/// Brings a database from any older version to the newest version of [`MIGRATIONS`].
///
/// The contents of the database stay.
///
/// # Errors
///
/// The server refused a migration, or an applied migration has been edited since.
pub async fn migrate(db: &PgPool) -> Result<(), MigrateError> {
    if let Some(answer) = faults::migrate(db).await {
        return answer;
    }
    MIGRATIONS.run(db).await
}

/// Writes the ten countries of `testdata/seed.sql` and returns how many rows it added or changed.
///
/// The file is a single statement: PostgreSQL applies all of it or nothing. Of two seedings at the
/// same moment, the second waits for the first.
///
/// ```no_run
/// # async fn deploy(db: sqlx::PgPool) -> Result<(), sqlx::Error> {
/// assert_eq!(task08_seed_data::seed(&db).await?, 10);
/// assert_eq!(task08_seed_data::seed(&db).await?, 0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Any error of the database. Then nothing was written.
pub async fn seed(db: &PgPool) -> Result<u64, Error> {
    if let Some(answer) = faults::seed(db).await {
        return answer;
    }
    let done = sqlx::raw_sql(SEED).execute(db).await?;
    Ok(done.rows_affected())
}

/// Returns connections to the same database that read everything; the server refuses their writes.
///
/// Creates the role `shop_reader_<database>` as `admin`, if the server has none, and grants it rights in
/// this database as its owner. `admin` is connected to the same database. Every connection takes the role when it opens, before anybody can use the connection.
/// The role guards against mistakes, not against somebody who may send any SQL: `SET ROLE NONE`
/// lifts it.
///
/// ```no_run
/// # async fn report(db: sqlx::PgPool, admin: sqlx::PgPool) -> Result<(), sqlx::Error> {
/// let reports = task08_seed_data::reader(&db, &admin).await?;
///
/// assert!(sqlx::query("DELETE FROM orders").execute(&reports).await.is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Any error of the database, for example if the role does not exist and the user of `admin` may not
/// create roles (`ALTER ROLE <user> CREATEROLE`).
pub async fn reader(db: &PgPool, admin: &PgPool) -> Result<PgPool, Error> {
    if let Some(answer) = faults::reader(db, admin).await {
        return answer;
    }
    let role = role(db);
    // The name needs no quotes: see `role`.
    sqlx::raw_sql(AssertSqlSafe(MAKE_ROLE.replace(READER_ROLE, &role))).execute(admin).await?;
    sqlx::raw_sql(AssertSqlSafe(READER.replace(READER_ROLE, &role))).execute(db).await?;
    // A start-up option, not a statement in `after_connect`: no connection is without the role,
    // and RESET ROLE returns to the role.
    let options = (*db.connect_options()).clone().options([("role", &role)]);
    Ok(PgPoolOptions::new().connect_lazy_with(options))
}

/// Returns the name of the role for this database.
///
/// Roles belong to the server: a role for all databases would have the rights of all of them.
fn role(db: &PgPool) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let options = db.connect_options();
    let database = options.get_database().unwrap_or_default();
    format!("{READER_ROLE}_{}", database.chars().map(plain).collect::<String>())
}
