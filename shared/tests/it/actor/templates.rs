//! The parts of `actor.rs` that do not simply ask for one database after the other.

use std::any::Any;
use std::io::BufRead;
use std::path::Path;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use testenv::{Db, Template};

use crate::{Held, held, nothing, runtime, say};

pub(crate) fn play(part: &str) -> Option<Held> {
    match part {
        "two templates" => at_once(
            (0..2).map(|number| Template::sql(&format!("CREATE TABLE made_for_{number} ()"))),
        ),
        "six migrators" => at_once((0..6).map(migrator)),
        "a builder" => say(&runtime().block_on(table_of(builder()))),
        "asked" => asked(),
        "attended" => {
            let id = std::env::var(testenv::tools::ID_VAR).expect("the test names the run");
            return held(testenv::tools::hold_open(&id).unwrap());
        }
        _ => return None,
    }
    nothing()
}

/// Tests that run at once and have nothing but their server in common; says what each found in its database.
fn at_once(templates: impl Iterator<Item = Template>) {
    let tests: Vec<_> = templates
        .map(|template| std::thread::spawn(|| runtime().block_on(table_of(template))))
        .collect();
    for test in tests {
        say(&test.join().expect("every test has its database"));
    }
}

async fn table_of(template: Template) -> String {
    let db = template.fresh().await;
    let tables =
        "SELECT string_agg(relname, ' ') FROM pg_class WHERE relname LIKE 'made\\_for\\_%'";
    sqlx::query_scalar(tables).fetch_one(db.pool()).await.unwrap()
}

/// Migrations of a project of its own, whose first file is called like that of every other.
fn migrator(number: i64) -> Template {
    let step = |version, description: &'static str, sql: String| {
        let sql = sqlx::AssertSqlSafe(sql).into_sql_str();
        Migration::new(version, description.into(), MigrationType::Simple, sql, false)
    };
    let steps = vec![
        step(1, "init", format!("CREATE TABLE made_for_{number} ()")),
        step(2, "more", "CREATE TABLE more ()".into()),
    ];
    Template::migrations(Box::leak(Box::new(Migrator::with_migrations(steps))))
}

/// What a project, which the variable names, calls its schema 1.
fn builder() -> Template {
    Template::build("schema 1", async |url: String| {
        let project = std::env::var("PROJECT")?;
        if let Ok(count) = std::env::var("COUNTED_IN") {
            use std::io::Write;
            writeln!(std::fs::File::options().create(true).append(true).open(count)?, "built")?;
        }
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await?;
        let sql = format!("SELECT pg_sleep(1); CREATE TABLE made_for_{project} ()");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
        Ok(())
    })
}

/// For each line on standard input as many databases as it says, or one of another template, or a transaction, held until the end; says their names, or why
/// there are none.
fn asked() {
    let runtime = runtime();
    // A transaction that is dropped rolls back in a runtime.
    let _entered = runtime.enter();
    let mut held: Vec<Box<dyn Any>> = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let had = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                if line == "begin" {
                    held.push(Box::new(testenv::begin().await));
                    return "begun".to_owned();
                }
                if line == "another template" {
                    let db = Template::sql("CREATE TABLE another ()").fresh().await;
                    held.push(Box::new(db));
                    return "another".to_owned();
                }
                let mut names = Vec::new();
                for _ in 0..line.parse().unwrap() {
                    let db = fresh().await;
                    names.push(db.name().to_owned());
                    held.push(Box::new(db));
                }
                names.join(" ")
            })
        }));
        match had {
            Ok(names) => say(&format!("had: {names}")),
            Err(why) => say(&why.downcast::<String>().unwrap().replace('\n', " ")),
        }
    }
}

/// From SQL that the test names, or the workspace's.
async fn fresh() -> Db {
    match (std::env::var("TEMPLATE_SQL"), std::env::var("TEMPLATE_KEEPS")) {
        (Ok(sql), _) => Template::sql(&sql).fresh().await,
        (_, Ok(server)) => keeps_a_session(server).fresh().await,
        _ => testenv::fresh_db().await,
    }
}

/// A function that leaves a session of another role open, at `server`.
fn keeps_a_session(server: String) -> Template {
    Template::build("keeps a session", move |url: String| {
        let name = url.rsplit_once('/').unwrap().1.to_owned();
        let server = server.rsplit_once('/').unwrap().0.to_owned();
        async move {
            let address = format!("{server}/{name}?application_name=a_forgotten_pool");
            Box::leak(Box::new(<sqlx::PgConnection as sqlx::Connection>::connect(&address).await?));
            Ok(())
        }
    })
}

/// What the program of a template does: it runs the file on the database of `DATABASE_URL`.
pub(crate) fn run_file(file: &Path) {
    let (url, sql) =
        (std::env::var("DATABASE_URL").unwrap(), std::fs::read_to_string(file).unwrap());
    runtime().block_on(async {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    });
}
