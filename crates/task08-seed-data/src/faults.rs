//! The wrong programs, and the other right ones, that `COURSE_FAULT` switches on.
//!
//! Think about mistakes of your own before you read on. A function returns `None` unless one of its
//! faults is on. A wrong `seed.sql` or `reader.sql` is derived from the right file.

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Error};
use testenv::fault;

use crate::{MAKE_ROLE, MIGRATIONS, READER, READER_ROLE, SEED, role};

/// Migrates as the fault that is on does.
pub(crate) async fn migrate(db: &PgPool) -> Option<Result<(), MigrateError>> {
    if fault!("starts-afresh") {
        return Some(from_nothing(db).await);
    }
    if fault!("only-when-new") {
        return Some(unless_there(db).await);
    }
    None
}

/// Seeds as the fault that is on does.
pub(crate) async fn seed(db: &PgPool) -> Option<Result<u64, Error>> {
    if fault!("nine-of-ten") {
        let rows = rows();
        return Some(run(db, seeding(&rows[..rows.len() - 1], on_conflict())).await);
    }
    if fault!("read-as-latin") {
        return Some(run(db, SEED.bytes().map(char::from).collect()).await);
    }
    if fault!("plain-insert") {
        return Some(run(db, seeding(&rows(), "")).await);
    }
    if fault!("writes-all-again") {
        let (update, _condition) = on_conflict().split_once("WHERE").unwrap_or_default();
        return Some(run(db, seeding(&rows(), update)).await);
    }
    if fault!("counts-the-file") {
        let done = run(db, SEED.to_owned()).await;
        return Some(done.map(|_| rows().len() as u64));
    }
    if fault!("first-come-stays") {
        return Some(run(db, seeding(&rows(), "ON CONFLICT DO NOTHING")).await);
    }
    if fault!("names-only") {
        let update = "ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, updated_at = now() \
                      WHERE countries.name <> EXCLUDED.name";
        return Some(run(db, seeding(&rows(), update)).await);
    }
    if fault!("only-when-empty") {
        return Some(unless_seeded(db).await);
    }
    if fault!("deletes-the-others") {
        return Some(all_else_gone(db).await);
    }
    if fault!("asks-first") {
        return Some(what_is_missing(db).await);
    }
    if fault!("last-row-first") {
        let mut rows = rows();
        rows.reverse();
        return Some(run(db, seeding(&rows, on_conflict())).await);
    }
    None
}

/// Returns readers as the fault that is on does.
pub(crate) async fn reader(db: &PgPool, admin: &PgPool) -> Option<Result<PgPool, Error>> {
    if fault!("one-connection") {
        return Some(role_of_the_first(db, admin).await);
    }
    if fault!("asks-politely") {
        return Some(with(db, admin, READER.to_owned(), &[READ_ONLY]).await);
    }
    if fault!("may-insert") {
        return Some(
            with(db, admin, and("GRANT INSERT ON ALL TABLES IN SCHEMA public"), &[ROLE]).await,
        );
    }
    if fault!("may-truncate") {
        return Some(
            with(db, admin, and("GRANT TRUNCATE ON ALL TABLES IN SCHEMA public"), &[ROLE]).await,
        );
    }
    if fault!("may-create") {
        return Some(with(db, admin, and("GRANT CREATE ON SCHEMA public"), &[ROLE]).await);
    }
    if fault!("some-tables") {
        let some = READER.replace("ALL TABLES IN SCHEMA public", "TABLE users, countries");
        return Some(with(db, admin, some, &[ROLE]).await);
    }
    if fault!("tables-of-today") {
        let (today, _) = READER.split_once("ALTER DEFAULT PRIVILEGES").unwrap_or_default();
        return Some(with(db, admin, today.to_owned(), &[ROLE]).await);
    }
    if fault!("role-made-twice") {
        let always = MAKE_ROLE.replace(
            "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shop_reader')",
            "IF true",
        );
        let always = always.replace("duplicate_object OR unique_violation", "data_exception");
        return Some(with_role(&always, db, admin, READER.to_owned(), &[ROLE]).await);
    }
    if fault!("read-only-as-well") {
        return Some(with(db, admin, READER.to_owned(), &[ROLE, READ_ONLY]).await);
    }
    None
}

const ROLE: (&str, &str) = ("role", READER_ROLE);
const READ_ONLY: (&str, &str) = ("default_transaction_read_only", "on");

async fn with(
    db: &PgPool,
    admin: &PgPool,
    sql: String,
    options: &[(&str, &str)],
) -> Result<PgPool, Error> {
    with_role(MAKE_ROLE, db, admin, sql, options).await
}

async fn with_role(
    make: &str,
    db: &PgPool,
    admin: &PgPool,
    sql: String,
    options: &[(&str, &str)],
) -> Result<PgPool, Error> {
    let role = role(db);
    run(admin, make.replace(READER_ROLE, &role)).await?;
    run(db, sql.replace(READER_ROLE, &role)).await?;
    let options = options.iter().map(|(name, value)| (*name, value.replace(READER_ROLE, &role)));
    let options = (*db.connect_options()).clone().options(options);
    Ok(PgPoolOptions::new().connect_lazy_with(options))
}

async fn role_of_the_first(db: &PgPool, admin: &PgPool) -> Result<PgPool, Error> {
    let pool = with(db, admin, READER.to_owned(), &[]).await?;
    run(&pool, format!("SET ROLE {}", role(db))).await?;
    Ok(pool)
}

/// Returns [`READER`] with one more right.
fn and(grant: &str) -> String {
    format!("{READER}; {grant} TO {READER_ROLE}")
}

/// Returns the rows of `seed.sql`, as they are written there.
fn rows() -> Vec<&'static str> {
    let lines = SEED.lines().filter(|line| line.starts_with("    ('"));
    lines.map(|line| line.trim_end_matches(',')).collect()
}

/// Returns the part of `seed.sql` about existing rows.
fn on_conflict() -> &'static str {
    SEED.find("ON CONFLICT").map_or("", |at| &SEED[at..])
}

fn seeding(rows: &[&str], on_conflict: &str) -> String {
    format!(
        "INSERT INTO countries (code, name, shipping_cents) VALUES {} {on_conflict}",
        rows.join(",")
    )
}

async fn run(db: &PgPool, sql: String) -> Result<u64, Error> {
    Ok(sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await?.rows_affected())
}

async fn unless_seeded(db: &PgPool) -> Result<u64, Error> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM countries").fetch_one(db).await?;
    if count > 0 { Ok(0) } else { run(db, SEED.to_owned()).await }
}

async fn all_else_gone(db: &PgPool) -> Result<u64, Error> {
    let codes: Vec<&str> = rows().iter().filter_map(|row| row.split('\'').nth(1)).collect();
    let gone = sqlx::query("DELETE FROM countries WHERE code <> ALL ($1)").bind(codes);
    Ok(gone.execute(db).await?.rows_affected() + run(db, SEED.to_owned()).await?)
}

async fn what_is_missing(db: &PgPool) -> Result<u64, Error> {
    let known: Vec<String> = sqlx::query_scalar("SELECT code FROM countries").fetch_all(db).await?;
    let is_known = |row: &&str| known.iter().any(|code| row.contains(&format!("('{code}'")));
    let (present, missing): (Vec<_>, Vec<_>) = rows().into_iter().partition(is_known);
    let mut changed = 0;
    if !missing.is_empty() {
        changed += run(db, seeding(&missing, "")).await?;
    }
    if !present.is_empty() {
        changed += run(db, seeding(&present, on_conflict())).await?;
    }
    Ok(changed)
}

async fn from_nothing(db: &PgPool) -> Result<(), MigrateError> {
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(db).await?;
    MIGRATIONS.run(db).await
}

async fn unless_there(db: &PgPool) -> Result<(), MigrateError> {
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass('users') IS NOT NULL").fetch_one(db).await?;
    if there { Ok(()) } else { MIGRATIONS.run(db).await }
}
