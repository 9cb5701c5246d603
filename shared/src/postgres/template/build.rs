//! Builds a template under a scratch name, then renames it. So a name that exists is a template
//! that works.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnection, PgDatabaseError};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::{Builder, Source, Template, files, identity, pin, role};
use crate::postgres::client;
use crate::postgres::server::{self, Server, execute};
use crate::run::{Run, layout, ledger};
use crate::{Error, Heading, background, programs, wait};

/// How long a session may take to end after it was told to.
const END_LIMIT: Duration = Duration::from_secs(2);

/// The limit for a program that makes a schema, as for one that reads it.
const PROGRAM_LIMIT: Duration = Duration::from_secs(300);

const END_POLL: Duration = Duration::from_millis(10);

/// A template that exists, and the session that holds it.
pub(super) struct Held {
    pub(super) name: String,
    session: PgConnection,
}

impl Held {
    /// Ends the session's hold. The reaper must hold the template by then.
    pub(super) async fn release(self) {
        // Nobody waits for the goodbye.
        drop(self.session.close().await);
    }
}

/// Why a template was not built.
pub(super) enum NotBuilt {
    /// The content is wrong. It will not be built in this run.
    Ever(Error),
    /// The server refused or was away. The next test may get the template.
    Now(Error),
}

impl From<NotBuilt> for Error {
    fn from(why: NotBuilt) -> Error {
        match why {
            NotBuilt::Ever(error) | NotBuilt::Now(error) => error,
        }
    }
}

impl From<Error> for NotBuilt {
    fn from(error: Error) -> NotBuilt {
        NotBuilt::Now(error)
    }
}

impl Template {
    /// Builds the template if it does not exist.
    pub(super) async fn build_on(&self, run: &Run, server: &Server) -> Result<Held, NotBuilt> {
        let mut admin = server::login(server).await.map_err(not_built)?;
        let name = if server.is_ours {
            format!("{}{}", identity::PREFIX, self.key)
        } else {
            identity::name_on_server(&mut admin, &self.key).await.map_err(not_built)?
        };
        // Nobody else is on a server of our own, and nobody sweeps there.
        if !server.is_ours {
            pin::pin_template(&mut admin, &name).await?;
        }
        // After the lock: what is there now stays.
        if exists(&mut admin, &name).await.map_err(not_built)? {
            return Ok(Held { name, session: admin });
        }
        if server.is_ours {
            self.build_as(&name, run, server, &mut admin).await?;
            return Ok(Held { name, session: admin });
        }
        pin::wait_for_builders(&mut admin, &name).await;
        if !exists(&mut admin, &name).await.map_err(not_built)? {
            self.build_as(&name, run, server, &mut admin).await?;
        }
        pin::let_others_build(&mut admin, &name).await.map_err(not_built)?;
        Ok(Held { name, session: admin })
    }

    async fn build_as(
        &self,
        name: &str,
        run: &Run,
        server: &Server,
        admin: &mut PgConnection,
    ) -> Result<(), NotBuilt> {
        let scratch = format!("testenv_new_{}_{}", identity::digits(name), run.token());
        if !server.is_ours {
            ledger::note(run.dir(), "postgres", &scratch, &server.note())?;
        }
        server::drop_database(admin, &scratch).await.map_err(not_built)?;
        let role = role::of(server, name);
        let mut create = format!("CREATE DATABASE \"{scratch}\"");
        if let Some(role) = &role {
            let password = server.address().password().unwrap_or_default();
            role::make(admin, role, password).await.map_err(not_built)?;
            create += &format!(" OWNER \"{role}\"");
        }
        execute(admin, create).await.map_err(not_built)?;
        let built = self.fill(&Scratch { name: &scratch, role: role.as_deref(), server }).await;
        // Whatever came of it, the role is no superuser any more.
        if let Some(role) = &role {
            role::demote(admin, role).await.map_err(not_built)?;
        }
        let named = match built {
            Ok(()) => finish(admin, &scratch, name).await,
            Err(why) => Err(why),
        };
        if let Err(why) = named {
            // Another run on the same server may have been quicker; ours is removed by its note.
            if exists(admin, name).await.map_err(not_built)? {
                return Ok(());
            }
            if let Some(role) = &role {
                server::drop_database(admin, &scratch).await.map_err(not_built)?;
                role::remove(admin, role).await.ok(); // another run's template may have it by now
            }
            return Err(why);
        }
        if !server.is_ours {
            // Gone with the run at the latest: the name is no database any more.
            std::fs::remove_file(layout::note(run.dir(), "postgres", &scratch)).ok();
        }
        Ok(())
    }

    async fn fill(&self, scratch: &Scratch<'_>) -> Result<(), NotBuilt> {
        match &*self.source {
            Source::Builder(builder) => call(builder.clone(), scratch).await?,
            Source::Program(words) => run_program(words, scratch).await?,
            Source::Sql(what, text) => {
                let mut connection = scratch.open().await?;
                run_text(&mut connection, what, text).await?;
                close(connection).await?;
            }
            Source::Steps(steps) => {
                let mut connection = scratch.open().await?;
                for step in steps {
                    run_text(&mut connection, &step.path, &step.text).await?;
                }
                close(connection).await?;
            }
            Source::Migrations(migrator) => {
                check(migrator).map_err(NotBuilt::Ever)?;
                let mut connection = scratch.open().await?;
                migrator.run_direct(None, &mut connection, false).await.map_err(|error| {
                    let why = migration_failed(migrator, &error);
                    match &error {
                        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)
                            if is_passing(error) =>
                        {
                            NotBuilt::Now(why)
                        }
                        _ => NotBuilt::Ever(why),
                    }
                })?;
                close(connection).await?;
            }
        }
        // The first session after a change of the schema writes the file from which later ones read the catalog. Written
        // here, every copy has it; else the first session of each copy would take some milliseconds for it.
        Ok(close(scratch.open().await?).await?)
    }
}

/// Calls the function of a template on a thread that no runtime has, because it may block.
async fn call(builder: Arc<Builder>, scratch: &Scratch<'_>) -> Result<(), NotBuilt> {
    let (url, (tell, told)) = (scratch.url(), tokio::sync::oneshot::channel());
    std::thread::spawn(move || {
        let built = catch_unwind(AssertUnwindSafe(|| background::wait(builder(url))));
        drop(tell.send(built.unwrap_or_else(|panic| Err(panicked(&*panic).into()))));
    });
    let built = told.await.unwrap_or_else(|_| Err("its thread could not be started".into()));
    built.map_err(|cause| {
        let cause = scratch.without_password(&cause.to_string());
        NotBuilt::Ever(
            Error::under(Heading::Template, "the function that builds the template failed")
                .cause(cause),
        )
    })
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", words.unwrap_or("without words"))
}

/// Runs a program that makes the schema in the database of the URL.
async fn run_program(words: &[String], scratch: &Scratch<'_>) -> Result<(), NotBuilt> {
    let shown = words.join(" ");
    let mut command = Command::new(&words[0]);
    programs::without_clients_variables(&mut command).args(&words[1..]);
    command.env("DATABASE_URL", scratch.url()).current_dir(files::of_the_package(""));
    let ended =
        tokio::task::spawn_blocking(move || programs::run(&mut command, PROGRAM_LIMIT)).await;
    let output = ended
        .unwrap_or_else(|cause| Err(cause.to_string()))
        .map_err(|cause| {
            Error::under(Heading::Template, format!("`{shown}` cannot be run")).cause(cause)
        })
        .map_err(NotBuilt::Ever)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = scratch.without_password(String::from_utf8_lossy(&said).trim());
    let status = output.status;
    let error = Error::under(Heading::Template, format!("`{shown}` failed, {status}")).cause(said);
    Err(NotBuilt::Ever(error))
}

/// Runs a text of statements, all or none.
pub(super) async fn run_text(
    connection: &mut PgConnection,
    what: &str,
    text: &str,
) -> Result<(), NotBuilt> {
    let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(text.to_owned()))).await;
    done.map(drop).map_err(|error| {
        let why = Error::under(Heading::Template, format!("{what} failed"))
            .cause(explained(&error, text));
        if is_passing(&error) { NotBuilt::Now(why) } else { NotBuilt::Ever(why) }
    })
}

/// The database in which a template is built.
struct Scratch<'a> {
    name: &'a str,
    role: Option<&'a str>,
    server: &'a Server,
}

impl Scratch<'_> {
    /// What a function or a program said, which may have the address in it.
    fn without_password(&self, said: &str) -> String {
        self.server.address_of(self.name, self.role).hidden_in(said)
    }

    fn url(&self) -> String {
        self.server.address_of(self.name, self.role).whole()
    }

    async fn open(&self) -> Result<PgConnection, Error> {
        self.server.options_of(self.name, self.role).connect().await.map_err(not_built)
    }
}

/// Whether an error comes from the server's state at this moment, and not from the statement. Class
/// 53 of the appendix "PostgreSQL Error Codes" is missing resources, such as a full disk.
fn is_passing(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    server::is_lost(error) || code.is_some_and(|code| code.starts_with("53"))
}

/// Closes a scratch database to everybody and gives it the template's name.
async fn finish(admin: &mut PgConnection, scratch: &str, name: &str) -> Result<(), NotBuilt> {
    pin::mark(admin, scratch).await.map_err(not_built)?;
    let close = format!("ALTER DATABASE \"{scratch}\" WITH ALLOW_CONNECTIONS false");
    execute(admin, close).await.map_err(not_built)?;
    // A function that builds may leave its pool open, and a database with sessions cannot be renamed.
    // On an external server, a session may have a role that is not ours to end.
    // What it refuses to end is named below.
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = $1 AND pg_has_role(usesysid, 'MEMBER')",
    )
    .bind(scratch)
    .execute(&mut *admin)
    .await
    .ok();
    expect_unused(admin, scratch).await?;
    let rename = format!("ALTER DATABASE \"{scratch}\" RENAME TO \"{name}\"");
    Ok(execute(admin, rename).await.map_err(not_built)?)
}

/// Fails with the names of whatever still uses the database, once it had time to end.
async fn expect_unused(admin: &mut PgConnection, scratch: &str) -> Result<(), NotBuilt> {
    let mut users = Vec::new();
    let unused = async {
        loop {
            users = users_of(admin, scratch).await.map_err(not_built)?;
            if users.is_empty() {
                return Ok(());
            }
            wait::nap(END_POLL).await;
        }
    };
    wait::within(END_LIMIT, unused).await.unwrap_or_else(|| {
        let error =
            Error::under(Heading::Template, "what built the template still uses its database")
                .cause(users.join("; "))
                .fix("close the connection before the build ends, and end the transaction");
        Err(NotBuilt::Ever(error))
    })
}

/// What keeps PostgreSQL from renaming or copying a database. Its own workers, which have no user, end
/// for that by themselves.
async fn users_of(admin: &mut PgConnection, database: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT format('a session of the role %s (application_name %L, pid %s)', usename, application_name, pid)
         FROM pg_stat_activity WHERE datname = $1 AND usesysid IS NOT NULL
         UNION ALL
         SELECT format('the prepared transaction %L of the role %s', gid, owner)
         FROM pg_prepared_xacts WHERE database = $1",
    )
    .bind(database)
    .fetch_all(admin)
    .await
}

fn check(migrator: &Migrator) -> Result<(), Error> {
    let mut versions = BTreeSet::new();
    let twice = migrator.iter().find(|migration| {
        !versions.insert((migration.version, migration.migration_type.is_down_migration()))
    });
    if let Some(twice) = twice {
        return Err(Error::under(
            Heading::Template,
            format!("two migrations have the version {}", twice.version),
        )
        .fix("rename one of the two files"));
    }
    if versions.is_empty() {
        return Err(Error::under(Heading::Template, "there is no migration")
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

/// Closes a session and waits for its end. A session that is still open delays the first copy.
async fn close(connection: PgConnection) -> Result<(), Error> {
    connection.close().await.map_err(not_built)
}

fn not_built(cause: sqlx::Error) -> Error {
    Error::under(Heading::Template, "the template was not built").cause(client::said(&cause))
}

fn migration_failed(migrator: &Migrator, error: &MigrateError) -> Error {
    match error {
        // What sqlx keeps of a file's name is the number and the words.
        MigrateError::ExecuteMigration(cause, version) => {
            let migration = migrator.iter().find(|migration| migration.version == *version);
            let (words, sql) = migration
                .map(|migration| (&*migration.description, migration.sql.as_str()))
                .unwrap_or_default();
            Error::under(Heading::Template, format!("the migration {version} \"{words}\" failed"))
                .cause(explained(cause, sql))
                .fix("correct the file and run the tests again: nothing of it was kept")
        }
        MigrateError::Execute(cause) => {
            Error::under(Heading::Template, "the migrations failed").cause(client::said(cause))
        }
        other => Error::under(Heading::Template, "the migrations failed").cause(other),
    }
}

/// The server's words, with the line and the column of the position that it names.
fn explained(error: &sqlx::Error, sql: &str) -> String {
    let said = client::said(error);
    let position = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        .and_then(PgDatabaseError::position);
    match position {
        Some(sqlx::postgres::PgErrorPosition::Original(at)) => {
            let before: String = sql.chars().take(at.saturating_sub(1)).collect();
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("{said} (line {line}, column {column})")
        }
        _ => said,
    }
}
