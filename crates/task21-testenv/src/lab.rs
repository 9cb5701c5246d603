//! A place where a harness starts servers and builds templates. The lab counts both.
//!
//! A server takes seconds to start. To save this time, all servers of all labs are in truth the
//! single server of the run. Each lab sees only the databases whose names it made.
//!
//! Invariant: every database of a lab is named after the lab's entrance, so the course's harness removes
//! all of them with it, however the tests end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use testenv::Db;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// The place where a single harness works. Clones are the same lab.
#[derive(Clone)]
pub struct Lab(Arc<Inner>);

struct Inner {
    /// The connection to the server: `CREATE DATABASE` runs from another database.
    entrance: Db,
    starts: AtomicUsize,
    migrations: AtomicUsize,
    names: AtomicUsize,
}

impl Lab {
    /// Returns a lab without servers.
    ///
    /// # Panics
    ///
    /// If no PostgreSQL can be reached or started. The message lists the attempts and the cure.
    pub async fn open() -> Lab {
        let entrance = testenv::fresh_db().await;
        let (starts, migrations, names) = Default::default();
        Lab(Arc::new(Inner { entrance, starts, migrations, names }))
    }

    /// Starts a server and returns it. The server runs until the lab ends. Start only one: in real
    /// use, a start is slow.
    pub async fn start(&self) -> Server {
        self.0.starts.fetch_add(1, Ordering::SeqCst);
        let server = Server(self.0.clone());
        server.execute("SELECT").await.expect("the server of the run answers");
        server
    }

    /// How many servers were started in this lab.
    pub fn starts(&self) -> usize {
        self.0.starts.load(Ordering::SeqCst)
    }

    /// How often the migrations ran in this lab.
    pub fn migrations(&self) -> usize {
        self.0.migrations.load(Ordering::SeqCst)
    }

    /// The names of the databases of this lab.
    ///
    /// # Panics
    ///
    /// If the server no longer answers.
    pub async fn databases(&self) -> Vec<String> {
        let found = async {
            let list = "SELECT datname::text FROM pg_database WHERE starts_with(datname, $1)";
            let mut admin = PgConnection::connect(&self.0.entrance.superuser_url()).await?;
            let list = sqlx::query_scalar(list).bind(self.0.name_of(""));
            let names = list.fetch_all(&mut admin).await?;
            admin.close().await.map(|()| names)
        };
        found.await.unwrap_or_else(|error: sqlx::Error| panic!("no list of databases: {error}"))
    }
}

/// A server that was started in a [`Lab`]. Clones are the same server.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

impl Server {
    /// Returns an unused name for a database. Only databases with such names belong to the lab.
    pub fn new_name(&self) -> String {
        let count = self.0.names.fetch_add(1, Ordering::SeqCst);
        self.0.name_of(&count.to_string())
    }

    /// The address of the database with this name.
    pub fn url_of(&self, name: &str) -> String {
        let entrance = &self.0.entrance;
        entrance.superuser_url().replacen(&format!("/{}", entrance.name()), &format!("/{name}"), 1)
    }

    /// Creates a database as a copy of another one, or of the empty `template0`. The server copies
    /// files, which takes 9 ms. The default of PostgreSQL 15 and later logs every page, which takes
    /// 24 ms (the mean of twenty, two cores, PostgreSQL 15 in memory).
    ///
    /// # Errors
    ///
    /// The error that the server returns: it refuses while a client is connected to the original.
    pub async fn copy(&self, original: &str, name: &str) -> sqlx::Result<()> {
        let mut admin = PgConnection::connect(&self.0.entrance.superuser_url()).await?;
        let can_choose = admin.server_version_num().is_some_and(|version| version >= 150_000);
        let strategy = if can_choose { " STRATEGY FILE_COPY" } else { "" };
        let create = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{original}\"{strategy}");
        admin.execute(AssertSqlSafe(create)).await?;
        admin.close().await
    }

    /// Runs a statement as the administrator, such as `DROP DATABASE`.
    ///
    /// The statement has a connection of its own. The caller may be on any runtime.
    ///
    /// # Errors
    ///
    /// The error that the server returns.
    pub async fn execute(&self, sql: &str) -> sqlx::Result<()> {
        let mut admin = PgConnection::connect(&self.0.entrance.superuser_url()).await?;
        admin.execute(AssertSqlSafe(sql.to_owned())).await?;
        admin.close().await
    }

    /// Applies the workspace's `migrations/` to the named database. Leaves no connection open.
    ///
    /// # Panics
    ///
    /// If there is no such database, or a migration fails.
    pub async fn migrate(&self, name: &str) {
        self.0.migrations.fetch_add(1, Ordering::SeqCst);
        let migrated = async {
            let mut connection = PgConnection::connect(&self.url_of(name)).await?;
            MIGRATOR.run_direct(None, &mut connection, false).await?;
            connection.close().await
        };
        migrated.await.unwrap_or_else(|error: sqlx::Error| panic!("{name}: {error}"));
    }
}

impl Inner {
    fn name_of(&self, database: &str) -> String {
        format!("{}_lab_{database}", self.entrance.name())
    }
}
