#![doc = "[before]: ../task07_kafka/index.html\n[next]: ../task09_cleanup_leaks/index.html\n"]
// on a page of rustdoc's, lessons are such pages; the first definition of a link counts
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod faults;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Error};

/// The workspace's `migrations/`, as they were when this was compiled.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

const SEED: &str = include_str!("../../../testdata/seed.sql");
const READER: &str = include_str!("reader.sql");

/// What stands in [`READER`] for the role's name.
const READER_ROLE: &str = "shop_reader";

/// Brings a database to the newest version of [`MIGRATIONS`], from any older one, and keeps what is in it.
///
/// # Errors
///
/// A migration was refused, or one that was applied has been edited since.
pub async fn migrate(db: &PgPool) -> Result<(), MigrateError> {
    if let Some(answer) = faults::migrate(db).await {
        return answer;
    }
    MIGRATIONS.run(db).await
}

/// Writes the ten countries of `testdata/seed.sql` and returns how many rows it added or changed.
///
/// It is one statement, so it happens whole or not at all, and two that run at once wait for each other.
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
/// The database's. Then nothing was written.
pub async fn seed(db: &PgPool) -> Result<u64, Error> {
    if let Some(answer) = faults::seed(db).await {
        return answer;
    }
    let done = sqlx::raw_sql(SEED).execute(db).await?;
    Ok(done.rows_affected())
}

/// Returns connections to the same database that can read everything and write nothing: the server refuses.
///
/// It makes the role `shop_reader_<database>` where the server has none, and gives it its rights in this database. The role is taken on by every connection
/// as it is opened, before anybody can use it. This guards against mistakes, not against somebody who may send any SQL: `SET ROLE NONE` lifts it.
///
/// ```no_run
/// # async fn report(db: sqlx::PgPool) -> Result<(), sqlx::Error> {
/// let reports = task08_seed_data::reader(&db).await?;
///
/// assert!(sqlx::query("DELETE FROM orders").execute(&reports).await.is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The database's: the user of `db` may not make roles (`ALTER ROLE <user> CREATEROLE`), and nobody has made this one.
pub async fn reader(db: &PgPool) -> Result<PgPool, Error> {
    if let Some(answer) = faults::reader(db).await {
        return answer;
    }
    let role = role(db);
    // Nothing of it needs quotes: see `role`.
    sqlx::raw_sql(AssertSqlSafe(READER.replace(READER_ROLE, &role))).execute(db).await?;
    // A start-up option, not a statement in `after_connect`: there is no moment without it, and RESET ROLE comes back to it.
    let options = (*db.connect_options()).clone().options([("role", &role)]);
    Ok(PgPoolOptions::new().connect_lazy_with(options))
}

/// The name of the role for this database. Roles belong to the server: one for all databases would have the rights of all.
fn role(db: &PgPool) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let options = db.connect_options();
    let database = options.get_database().unwrap_or_default();
    format!("{READER_ROLE}_{}", database.chars().map(plain).collect::<String>())
}
