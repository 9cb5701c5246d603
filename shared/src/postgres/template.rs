//! The template: migrated once per content, forked by every test.
//!
//! It is built under a scratch name and renamed when done: a name that exists is a template that works.
//!
//! Invariant: nobody connects to a finished template. PostgreSQL will not fork a database that has sessions.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnection, PgDatabaseError};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::Db;
use super::ready;
use super::server::{self, Server};
use crate::run::{Run, apart, owned};
use crate::{Error, current_test};

/// What a function that builds a template may fail with: any error, by `?` or `.into()`.
///
/// ```
/// use testenv::postgres::BuildError;
///
/// fn applied(files: usize) -> Result<(), BuildError> {
///     if files == 0 { Err("no migrations were found".into()) } else { Ok(()) }
/// }
/// assert_eq!(applied(0).unwrap_err().to_string(), "no migrations were found");
/// ```
pub type BuildError = Box<dyn StdError + Send + Sync>;

type Builder =
    dyn Fn(String) -> Pin<Box<dyn Future<Output = Result<(), BuildError>> + Send>> + Send + Sync;

/// The workspace's migrations; see [`super::fresh_db`].
static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// What a fresh database holds from the start.
///
/// A template is named by the hash of its content, and built once per content: by the first process of the run that asks, or, on a server that is kept, by
/// the first run. A builder that dies half-way hurts nobody, because its work has another name until it is complete.
///
/// ```no_run
/// # async fn test() {
/// use testenv::Template;
///
/// let db = Template::sql("CREATE TABLE rooms (name TEXT PRIMARY KEY)").fresh().await;
/// sqlx::query("INSERT INTO rooms VALUES ('attic')").execute(db.pool()).await.unwrap();
/// # }
/// ```
#[derive(Clone)]
pub struct Template {
    source: Source,
    /// What replaces what: a template of the same line and another content is an older one.
    line: Option<String>,
    hash: u64,
}

#[derive(Clone)]
enum Source {
    Migrations(&'static Migrator),
    /// What it is, as a failure names it, and the text.
    Sql(String, String),
    Builder(Arc<Builder>),
}

/// A template that is there.
pub(super) struct Built {
    pub(super) name: String,
}

impl Template {
    /// From migrations, as `sqlx::migrate!` makes them. Those that were read at run time have to be leaked (`Box::leak`): they last as long as the tests.
    ///
    /// The path of `sqlx::migrate!` begins at the folder of your `Cargo.toml`; without one it is `migrations`, beside it. sqlx needs its features `macros`
    /// and `migrate`.
    ///
    /// ```no_run
    /// # async fn test() {
    /// use sqlx::migrate::Migrator;
    /// use testenv::Template;
    ///
    /// static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");
    ///
    /// let db = Template::migrations(&MIGRATIONS).fresh().await;
    /// # }
    /// ```
    pub fn migrations(migrator: &'static Migrator) -> Template {
        let mut hasher = DefaultHasher::new();
        for migration in migrator.iter() {
            (migration.version, &migration.description, &migration.checksum, migration.no_tx)
                .hash(&mut hasher);
        }
        let line =
            migrator.iter().next().map(|first| format!("{} {}", first.version, first.description));
        Template { source: Source::Migrations(migrator), line, hash: hasher.finish() }
    }

    /// From SQL text: any number of statements.
    pub fn sql(text: &str) -> Template {
        Template::text("the template's SQL".into(), text)
    }

    /// From a function that is given the URL of an empty database. `version` stands for what the function does: when that changes, so must it.
    ///
    /// ```no_run
    /// # async fn test() {
    /// let template = testenv::Template::build("schema 7", async |url| {
    ///     let done = std::process::Command::new("my-migrations").arg(url).status()?;
    ///     if done.success() { Ok(()) } else { Err("my-migrations failed".into()) }
    /// });
    /// let db = template.fresh().await;
    /// # }
    /// ```
    pub fn build<F, W>(version: &str, builder: F) -> Template
    where
        F: Fn(String) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), BuildError>> + Send + 'static,
    {
        let builder: Arc<Builder> = Arc::new(move |url| Box::pin(builder(url)));
        Template { source: Source::Builder(builder), line: None, hash: hash_of("builder", version) }
    }

    /// The same, with a name for where the text comes from.
    pub(super) fn text(what: String, text: &str) -> Template {
        let hash = hash_of("sql", text);
        Template { source: Source::Sql(what, text.to_owned()), line: None, hash }
    }

    /// The template of [`super::fresh_db`].
    pub(super) fn workspace() -> Template {
        Template::migrations(&MIGRATIONS)
    }

    /// Returns a private copy.
    ///
    /// # Panics
    ///
    /// As [`super::fresh_db`].
    pub async fn fresh(&self) -> Db {
        let taken = Db::take(self, current_test::name()).await;
        taken.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Builds it unless it is there; returns when the keeper has been told of it.
    pub(super) async fn ensure(
        &self,
        run: &'static Run,
        server: &'static Server,
    ) -> Result<Built, Error> {
        /// What this process knows to be there: the second test of a process asks nobody.
        static KNOWN: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("testenv_tpl_{:016x}", self.hash);
        if !known().contains(&self.hash) {
            let template = self.clone();
            let as_name = name.clone();
            apart(async move || {
                run.once(&as_name, async |run| template.register(&as_name, run, server).await).await
            })
            .await?;
            known().insert(self.hash);
        }
        Ok(Built { name })
    }

    async fn register(
        &self,
        name: &str,
        run: &'static Run,
        server: &Server,
    ) -> Result<String, Error> {
        self.build_as(name, run, server).await?;
        ready::announce(run, name)?;
        // Between two holders nobody would hold it. On a server of our own nobody has to.
        if !server.is_ours {
            ready::until_held(run, name).await?;
        }
        Ok(name.to_owned())
    }

    async fn build_as(&self, name: &str, run: &Run, server: &Server) -> Result<(), Error> {
        let failed = |cause: sqlx::Error| Error::new("the template was not built").cause(cause);
        let mut admin = server.admin().await?;
        if exists(&mut admin, name).await.map_err(failed)? {
            return Ok(());
        }
        let scratch = format!("{name}_{}", run.token());
        if !server.is_ours {
            owned::note(run.dir(), "postgres", &scratch, &server.note())?;
        }
        server::drop_database(&mut admin, &scratch).await.map_err(failed)?;
        execute(&mut admin, format!("CREATE DATABASE \"{scratch}\"")).await.map_err(failed)?;
        self.fill(&scratch, server).await?;
        // The first session after a change of the schema writes the file from which later ones read the catalog. Written here, every copy has it; else the
        // first session of each copy would take some milliseconds for it.
        close(open(&scratch, server).await?).await?;

        let line = self.line.as_deref().unwrap_or("-").replace('\'', "''");
        for sql in [
            format!("COMMENT ON DATABASE \"{scratch}\" IS 'testenv template {line}'"),
            format!("ALTER DATABASE \"{scratch}\" WITH ALLOW_CONNECTIONS false"),
            format!("ALTER DATABASE \"{scratch}\" RENAME TO \"{name}\""),
        ] {
            if let Err(error) = execute(&mut admin, sql).await {
                // Another run on the same server was quicker; ours is removed by its note.
                if exists(&mut admin, name).await.map_err(failed)? {
                    return Ok(());
                }
                return Err(failed(error));
            }
        }
        if !server.is_ours {
            let _gone = std::fs::remove_file(owned::file(run.dir(), "postgres", &scratch));
            sweep_line(&mut admin, name, &line).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn fill(&self, scratch: &str, server: &Server) -> Result<(), Error> {
        match &self.source {
            Source::Builder(builder) => builder(server.url_of(scratch)).await.map_err(|cause| {
                Error::new("the function that builds the template failed").cause(cause)
            }),
            Source::Sql(what, text) => {
                let mut connection = open(scratch, server).await?;
                let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(text.clone()))).await;
                done.map_err(|error| {
                    Error::new(format!("{what} failed")).cause(explained(&error, text))
                })?;
                close(connection).await
            }
            Source::Migrations(migrator) => {
                check(migrator)?;
                let mut connection = open(scratch, server).await?;
                migrator
                    .run_direct(None, &mut connection, false)
                    .await
                    .map_err(|error| migration_failed(migrator, &error))?;
                close(connection).await
            }
        }
    }
}

/// The key under which a run in whose use a template is holds a shared advisory lock.
pub(super) fn lock_key(name: &str) -> i64 {
    let digits = name.rsplit('_').next().unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default().cast_signed()
}

fn hash_of(kind: &str, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, text).hash(&mut hasher);
    hasher.finish()
}

fn check(migrator: &Migrator) -> Result<(), Error> {
    let mut versions = BTreeSet::new();
    let twice = migrator.iter().find(|migration| {
        !versions.insert((migration.version, migration.migration_type.is_down_migration()))
    });
    if let Some(twice) = twice {
        return Err(Error::new(format!("two migrations have the version {}", twice.version))
            .fix("rename one of the two files"));
    }
    if versions.is_empty() {
        return Err(Error::new("there is no migration")
            .cause("the folder given to sqlx::migrate! is empty")
            .fix("write migrations/0001_<name>.sql"));
    }
    Ok(())
}

async fn exists(admin: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(admin)
        .await
}

/// Drops the templates that this one replaces, unless another run is using them.
async fn sweep_line(admin: &mut PgConnection, name: &str, line: &str) -> sqlx::Result<()> {
    let older: Vec<String> = sqlx::query_scalar(
        "SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') = $1 AND datname <> $2 AND datname LIKE 'testenv\\_tpl\\_%'",
    )
    .bind(format!("testenv template {line}"))
    .bind(name)
    .fetch_all(&mut *admin)
    .await?;
    for old in older {
        let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(lock_key(&old))
            .fetch_one(&mut *admin)
            .await?;
        if free {
            server::drop_database(admin, &old).await?;
            sqlx::query("SELECT pg_advisory_unlock($1)")
                .bind(lock_key(&old))
                .execute(&mut *admin)
                .await?;
        }
    }
    Ok(())
}

async fn execute(admin: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
}

async fn open(scratch: &str, server: &Server) -> Result<PgConnection, Error> {
    let connected = server.options.clone().database(scratch).connect().await;
    connected.map_err(|cause| Error::new("the template was not built").cause(cause))
}

/// A session that lingers would hold up the first fork for as long as it lingers.
async fn close(connection: PgConnection) -> Result<(), Error> {
    connection.close().await.map_err(|cause| Error::new("the template was not built").cause(cause))
}

fn migration_failed(migrator: &Migrator, error: &MigrateError) -> Error {
    let failed = |version: i64, cause: String| {
        let migration = migrator.iter().find(|migration| migration.version == version);
        let name =
            migration.map(|migration| migration.description.replace(' ', "_")).unwrap_or_default();
        Error::new(format!("the migration {version}_{name}.sql failed"))
            .cause(cause)
            .fix("correct the file and run the tests again: nothing of it was kept")
    };
    match error {
        MigrateError::ExecuteMigration(cause, version) => {
            let sql = migrator
                .iter()
                .find(|migration| migration.version == *version)
                .map(|migration| migration.sql.as_str());
            failed(*version, explained(cause, sql.unwrap_or_default()))
        }
        other => Error::new("the migrations failed").cause(other),
    }
}

/// The server's words, with the line and column that its position means.
fn explained(error: &sqlx::Error, sql: &str) -> String {
    let position = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        .and_then(PgDatabaseError::position);
    match position {
        Some(sqlx::postgres::PgErrorPosition::Original(at)) => {
            let before: String = sql.chars().take(at.saturating_sub(1)).collect();
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("{error} (line {line}, column {column})")
        }
        _ => error.to_string(),
    }
}
