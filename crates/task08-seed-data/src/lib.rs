// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod faults;

use sqlx::Error;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgPool, PgPoolOptions};

/// The workspace's `migrations/`, as they were when this was compiled.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

const SEED: &str = include_str!("../../../testdata/seed.sql");
const READER: &str = include_str!("reader.sql");

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
/// It makes the role `shop_reader` where the server has none, and gives it its rights in this database. The role is taken on by every connection
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
/// The database's: the user of `db` may not make roles, and nobody has made this one.
pub async fn reader(db: &PgPool) -> Result<PgPool, Error> {
    if let Some(answer) = faults::reader(db).await {
        return answer;
    }
    sqlx::raw_sql(READER).execute(db).await?;
    // A start-up option, not a statement in `after_connect`: there is no moment without it, and RESET ROLE comes back to it.
    let options = (*db.connect_options()).clone().options([("role", "shop_reader")]);
    Ok(PgPoolOptions::new().connect_lazy_with(options))
}
