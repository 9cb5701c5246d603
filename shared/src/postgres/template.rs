//! The template: migrated once per content, copied for every test.
//!
//! It is built under a scratch name and renamed when done, so a name that exists is a template that
//! works. From before it has its name until the run ends, somebody holds it, so nobody drops it
//! meanwhile.
//!
//! Invariant: nobody connects to a finished template. PostgreSQL does not copy a database that has
//! sessions.

mod build;
mod files;
mod identity;
pub(super) mod pin;
pub(super) mod role;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::future::Future;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};

use self::build::NotBuilt;
use self::files::Step;
use super::db::Db;
use super::server::Server;
use super::{client, pool, served};
use crate::run::{Run, on_own_thread};
use crate::{Error, Heading, current_test, error};

/// The error of a function that builds a template. Any error converts to it, by `?` or `.into()`.
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

/// What a fresh database contains from the start.
///
/// A template is named by the hash of its content, and built once per content. The first process of
/// the run that asks builds it; on a server that is kept, the first run does. A builder that dies
/// half-way harms nobody, because its work has another name until it is complete. On a server that
/// outlives the run, a template belongs to the role that built it. It is dropped when no run uses
/// it and none has used it for a day.
///
/// A copy is complete: it has the template's rows, and what belongs to the database itself. That is
/// settings (`ALTER DATABASE … SET`, `ALTER ROLE … IN DATABASE … SET`), rights (`GRANT … ON
/// DATABASE`; the owner is who granted them), owner, comment, connection limit and security labels.
/// A migration does not know the name of its database; `EXECUTE format('ALTER DATABASE %I SET …',
/// current_database())` in a `DO` block does.
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
    /// Shared: a template is cloned for every database.
    source: Arc<Source>,
    /// The hash of the content, in hexadecimal digits.
    key: String,
}

enum Source {
    Migrations(&'static Migrator),
    /// SQL text, with the name that a failure shows for it.
    Sql(String, String),
    Steps(Vec<Step>),
    Builder(Arc<Builder>),
    /// A program and its arguments.
    Program(Vec<String>),
}

/// Starts the server of the run, and builds the workspace's template on it.
pub(super) async fn of_the_run() -> Result<(), Error> {
    let (run, server) = served::connect().await?;
    Template::workspace().ensure(run, server).await.map(drop)
}

/// Runs texts of statements, each with all of its statements or none, by their names.
pub(super) async fn apply(options: &PgConnectOptions, texts: &[(&str, &str)]) -> Result<(), Error> {
    let cannot = |cause: sqlx::Error| {
        Error::under(Heading::Template, "the fixtures cannot be applied")
            .cause(client::said(&cause))
    };
    let mut connection = options.connect().await.map_err(cannot)?;
    for (what, text) in texts {
        build::run_text(&mut connection, what, text).await?;
    }
    connection.close().await.map_err(cannot)
}

impl Template {
    /// A template from migrations, as `sqlx::migrate!` makes them. Migrations that were read at run
    /// time must be leaked (`Box::leak`): they last as long as the tests.
    ///
    /// The path of `sqlx::migrate!` begins at the folder of your `Cargo.toml`. Without a path it is
    /// `migrations` in that folder. sqlx needs its features `macros` and `migrate`.
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
        Template {
            source: Arc::new(Source::Migrations(migrator)),
            key: identity::of_migrations(migrator),
        }
    }

    /// A template from SQL text with any number of statements.
    pub fn sql(text: &str) -> Template {
        Template::text("the template's SQL".into(), text)
    }

    /// A template from a folder of `.sql` files, whatever client the project has. They are read when
    /// the test runs, in the order of the numbers with which they, or their folders, begin. What
    /// undoes a step (`down.sql`, `1_rooms.down.sql`, `U1__rooms.sql`) is left out. Each file runs as
    /// one text, so all of its statements succeed or none.
    ///
    /// No tool's list of applied migrations is written. If the program under test migrates by
    /// itself, let the same tool make the template: [`Template::program`] or [`Template::build`].
    ///
    /// `folder` is relative to the package's folder.
    ///
    /// # Panics
    ///
    /// If the folder cannot be read, has no migration, or has two with one number.
    ///
    /// ```no_run
    /// # async fn test() {
    /// let db = testenv::Template::folder("migrations").fresh().await;
    /// println!("psql '{}'", db.url());
    /// # }
    /// ```
    #[track_caller]
    pub fn folder(folder: impl AsRef<Path>) -> Template {
        let steps = error::expect(files::steps(folder.as_ref()));
        let key = identity::of_steps(&steps);
        Template { source: Arc::new(Source::Steps(steps)), key }
    }

    /// A template from a program, such as `diesel migration run`. It is run in the package's folder,
    /// with the address of an empty database as `DATABASE_URL` in its environment.
    ///
    /// `files` names a file or a folder that decides what the program does: if its content changes,
    /// the template is built anew. [`Template::depends_on`] names more.
    ///
    /// # Panics
    ///
    /// If the files cannot be read.
    ///
    /// ```no_run
    /// # async fn test() {
    /// use testenv::Template;
    ///
    /// let template = Template::program("diesel", ["migration", "run"], "migrations");
    /// let db = template.depends_on("diesel.toml").fresh().await;
    /// # }
    /// ```
    #[track_caller]
    pub fn program<'a>(
        program: &str,
        arguments: impl IntoIterator<Item = &'a str>,
        files: impl AsRef<Path>,
    ) -> Template {
        let mut words = vec![program.to_owned()];
        words.extend(arguments.into_iter().map(str::to_owned));
        let key = identity::of_program(&words);
        Template { source: Arc::new(Source::Program(words)), key }.depends_on(files)
    }

    /// The same template, built anew whenever the content of a file, or of a folder with all that is
    /// in it, changes. It is for what a function or a program reads, such as the migrations of a
    /// client that the harness does not know. `path` is relative to the package's folder.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    ///
    /// ```no_run
    /// # async fn test() {
    /// let template = testenv::Template::build("our migrations", async |url| {
    ///     // any client of any version, async or blocking
    /// #   drop(url);
    ///     Ok(())
    /// });
    /// let db = template.depends_on("migrations").fresh().await;
    /// # }
    /// ```
    #[track_caller]
    pub fn depends_on(mut self, path: impl AsRef<Path>) -> Template {
        let files = error::expect(files::read(path.as_ref()));
        self.key = identity::with_files(&self.key, &files);
        self
    }

    /// A template from a function that gets the URL of an empty database. `version` stands for what
    /// the function does: change the version whenever the function does something else.
    ///
    /// The function is identified by its package, its source file, its path and the version. So two
    /// projects on one server do not share what they both call `schema 1`. The values that a
    /// closure captures are not seen: put a value that changes what the function does into the
    /// version. [`Template::depends_on`] names the files that the function reads.
    ///
    /// The function may block, and use a client that blocks. It is called inside a Tokio runtime, on
    /// a thread of its own.
    ///
    /// # Panics
    ///
    /// When two closures of one function are given the same version. They could not be told apart.
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
    #[track_caller]
    pub fn build<F, W>(version: &str, builder: F) -> Template
    where
        F: Fn(String) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), BuildError>> + Send + 'static,
    {
        let key = identity::of_builder::<F>(version, Location::caller());
        let builder: Arc<Builder> = Arc::new(move |url| Box::pin(builder(url)));
        Template { source: Arc::new(Source::Builder(builder)), key }
    }

    /// A template from text, with a name that says where the text comes from.
    pub(super) fn text(what: String, text: &str) -> Template {
        // The mark that some editors put first is no SQL.
        let text = text.trim_start_matches('\u{feff}');
        let source = Arc::new(Source::Sql(what, text.to_owned()));
        Template { source, key: identity::of_sql(text) }
    }

    /// The template of [`super::fresh_db`].
    pub(super) fn workspace() -> Template {
        Template::migrations(&MIGRATIONS)
    }

    /// Returns a private copy. [`crate::blocking::wait`] waits for it without a runtime.
    ///
    /// # Panics
    ///
    /// As [`super::fresh_db`].
    #[track_caller]
    pub fn fresh(&self) -> impl Future<Output = Db> + use<> {
        let (template, asked) = (self.clone(), Location::caller());
        async move {
            let taken = Db::take(&template, current_test::name()).await;
            taken.unwrap_or_else(|error| error.raise(asked))
        }
    }

    /// Builds the template if it does not exist. Returns when the reaper holds it.
    pub(super) async fn ensure(
        &self,
        run: &'static Run,
        server: &'static Server,
    ) -> Result<String, Error> {
        /// The templates that this process knows to exist. The second test of a process asks
        /// nobody.
        static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = known().get(&self.key) {
            return Ok(name.clone());
        }
        let template = self.clone();
        let name = on_own_thread(async move || {
            let once = format!("template-{}", template.key);
            let made =
                pool::once(run, &once, async || match template.register(run, server).await {
                    Ok(name) => Ok(Ok(name)),
                    Err(NotBuilt::Ever(error)) => Ok(Err(error)),
                    Err(NotBuilt::Now(error)) => Err(error),
                });
            made.await
        })
        .await?;
        known().insert(self.key.clone(), name.clone());
        Ok(name)
    }

    async fn register(&self, run: &'static Run, server: &Server) -> Result<String, NotBuilt> {
        let held = self.build_on(run, server).await?;
        let name = held.name.clone();
        pool::announce(run, &name)?;
        // Between two holders nobody would hold it. On a server of our own nobody has to.
        if !server.is_ours {
            pool::until_held(run, &name).await?;
        }
        held.release().await;
        Ok(name)
    }
}
