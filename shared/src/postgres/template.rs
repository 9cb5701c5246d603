//! The template: migrated once per content, forked by every test.
//!
//! It is built under a scratch name and renamed when done: a name that exists is a template that works. It is held from before it has a name until the run
//! ends, so nobody drops it meanwhile.
//!
//! Invariant: nobody connects to a finished template. PostgreSQL will not fork a database that has sessions.

mod build;
mod identity;
pub(super) mod pin;
pub(super) mod role;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::migrate::Migrator;

use self::build::NotBuilt;
use super::db::Db;
use super::pool;
use super::server::Server;
use crate::run::{Run, on_own_thread};
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
/// the first run. A builder that dies half-way hurts nobody, because its work has another name until it is complete. On a server that outlives the run, a
/// template belongs to the role that built it, and is dropped when no run uses it and none has used it for a day.
///
/// A copy is whole: it has the template's rows, and what belongs to the database itself: settings (`ALTER DATABASE … SET`, `ALTER ROLE … IN DATABASE … SET`),
/// rights (`GRANT … ON DATABASE`; the owner is who granted them), owner, comment, connection limit and security labels. A migration does not know the name
/// of its database; `EXECUTE format('ALTER DATABASE %I SET …', current_database())` in a `DO` block does.
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
    /// The hash of the content, in hexadecimal digits.
    key: String,
}

#[derive(Clone)]
enum Source {
    Migrations(&'static Migrator),
    /// What it is, as a failure names it, and the text.
    Sql(String, String),
    Builder(Arc<Builder>),
}

/// A template that copies can be made of.
#[derive(Clone)]
pub(super) struct Built {
    pub(super) name: String,
    /// The role of its tests, where that is not the one of the server's URL.
    pub(super) owner: Option<String>,
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
        Template { source: Source::Migrations(migrator), key: identity::of_migrations(migrator) }
    }

    /// From SQL text: any number of statements.
    pub fn sql(text: &str) -> Template {
        Template::text("the template's SQL".into(), text)
    }

    /// From a function that is given the URL of an empty database. `version` stands for what the function does: when that changes, so must it.
    ///
    /// The function is known by its package, its source file, its path and the version, so two projects on one server do not share what they both call
    /// `schema 1`. What a closure captures is not seen: a value that changes what the function does belongs into the version.
    ///
    /// # Panics
    ///
    /// When two closures of one function are given the same version: they could not be told apart.
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
        Template { source: Source::Builder(builder), key }
    }

    /// The same, with a name for where the text comes from.
    pub(super) fn text(what: String, text: &str) -> Template {
        // The mark that some editors put first is no SQL.
        let text = text.trim_start_matches('\u{feff}');
        Template { source: Source::Sql(what, text.to_owned()), key: identity::of_sql(text) }
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

    /// Builds it unless it is there; returns when the reaper holds it.
    pub(super) async fn ensure(
        &self,
        run: &'static Run,
        server: &'static Server,
    ) -> Result<Built, Error> {
        /// What this process knows to be there: the second test of a process asks nobody.
        static KNOWN: Mutex<BTreeMap<String, Built>> = Mutex::new(BTreeMap::new());
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(built) = known().get(&self.key) {
            return Ok(built.clone());
        }
        let template = self.clone();
        let note = on_own_thread(async move || {
            let once = format!("template-{}", template.key);
            let made =
                pool::once(run, &once, async || match template.register(run, server).await {
                    Ok(built) => Ok(Ok(built.note())),
                    Err(NotBuilt::Ever(error)) => Ok(Err(error)),
                    Err(NotBuilt::Now(error)) => Err(error),
                });
            made.await
        })
        .await?;
        let built = Built::read(&note);
        known().insert(self.key.clone(), built.clone());
        Ok(built)
    }

    async fn register(&self, run: &'static Run, server: &Server) -> Result<Built, NotBuilt> {
        let held = self.build_on(run, server).await?;
        let built = held.built.clone();
        pool::announce(run, &built.name)?;
        // Between two holders nobody would hold it. On a server of our own nobody has to.
        if !server.is_ours {
            pool::until_held(run, &built.name).await?;
        }
        held.release().await;
        Ok(built)
    }
}

impl Built {
    /// For the other processes of the run.
    fn note(&self) -> String {
        let names = [Some(self.name.as_str()), self.owner.as_deref()];
        names.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn read(note: &str) -> Built {
        let (name, owner) = match note.split_once(' ') {
            Some((name, owner)) => (name, Some(owner.to_owned())),
            None => (note, None),
        };
        Built { name: name.to_owned(), owner }
    }
}
