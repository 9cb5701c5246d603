//! A place where a harness starts servers and builds templates. The lab counts both.
//!
//! A server takes seconds to start. To save this time, all servers of all labs are in truth the
//! single server of the run. Each lab sees only the databases whose names it made.
//!
//! Invariant: dropping the lab removes every database that it named. If the process ends before, the
//! next lab of the run or the end of the run removes them.

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
    /// The connection to the server: `CREATE DATABASE` runs from another database. `drop` takes it.
    entrance: Option<Db>,
    prefix: String,
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
        let prefix = format!("lab_{}", entrance.name());
        let (starts, migrations, names) = Default::default();
        Lab(Arc::new(Inner { entrance: Some(entrance), prefix, starts, migrations, names }))
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
            let mut admin = PgConnection::connect(&self.0.entrance().superuser_url()).await?;
            let names = databases(&mut admin, &self.0.prefix).await?;
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
    ///
    /// # Panics
    ///
    /// If the run's directory cannot be written.
    pub async fn new_name(&self) -> String {
        let count = self.0.names.fetch_add(1, Ordering::SeqCst);
        let name = format!("{}_{count}", self.0.prefix);
        testenv::postgres::note(&name).await.unwrap_or_else(|error| panic!("{error}"));
        name
    }

    /// The address of the database with this name.
    pub fn url_of(&self, name: &str) -> String {
        let entrance = self.0.entrance();
        entrance.superuser_url().replacen(&format!("/{}", entrance.name()), &format!("/{name}"), 1)
    }

    /// Runs a statement as the administrator, such as `CREATE DATABASE` or `DROP DATABASE`.
    ///
    /// The statement has a connection of its own. The caller may be on any runtime.
    ///
    /// # Errors
    ///
    /// The error that the server returns.
    pub async fn execute(&self, sql: &str) -> sqlx::Result<()> {
        let mut admin = PgConnection::connect(&self.0.entrance().superuser_url()).await?;
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
    fn entrance(&self) -> &Db {
        self.entrance.as_ref().expect("it is taken by Drop only")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let (entrance, prefix) = (self.entrance.take(), self.prefix.clone());
        // Nobody waits: if the process ends first, the next lab removes what is left.
        let _left = std::thread::Builder::new().spawn(move || remove_all(entrance, &prefix));
    }
}

fn remove_all(entrance: Option<Db>, prefix: &str) {
    let Some(entrance) = entrance else { return };
    // `test_` and the run's token: what no other run has.
    let run: String = entrance.name().split_inclusive('_').take(2).collect();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    let _left: sqlx::Result<()> = runtime.block_on(async {
        let mut admin = PgConnection::connect(&entrance.superuser_url()).await?;
        let left = databases(&mut admin, prefix).await?;
        for name in left.into_iter().chain(abandoned(&mut admin, &run).await?) {
            let drop = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
            admin.execute(AssertSqlSafe(drop)).await?;
        }
        admin.close().await
    });
}

async fn databases(admin: &mut PgConnection, prefix: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE starts_with(datname, $1)")
        .bind(format!("{prefix}_"))
        .fetch_all(admin)
        .await
}

/// Some databases of the run's labs whose process ended before they were removed: the harness has dropped
/// their entrances meanwhile. Labs that are dropped at the same time should not all choose the same ones.
async fn abandoned(admin: &mut PgConnection, run: &str) -> sqlx::Result<Vec<String>> {
    let left = "SELECT datname::text FROM pg_database AS lab WHERE starts_with(datname, $1)
                AND NOT EXISTS (SELECT FROM pg_database AS entrance
                                WHERE starts_with(lab.datname, 'lab_' || entrance.datname || '_'))
                ORDER BY random() LIMIT 8";
    sqlx::query_scalar(left).bind(format!("lab_{run}")).fetch_all(admin).await
}

#[cfg(all(test, feature = "integration"))]
mod tests {
    use std::time::Duration;

    use testenv::wait;

    use super::*;

    #[tokio::test]
    async fn a_lab_removes_what_the_lab_of_a_process_that_ended_has_left_and_no_other() {
        let (lab, lives) = (Lab::open().await, Lab::open().await);
        let server = lives.start().await;
        let held = server.new_name().await;
        let run: String = lives.0.entrance().name().split_inclusive('_').take(2).collect();
        // No test has this entrance, as if the harness had dropped it.
        let (left, theirs) = (format!("lab_{run}1_1_0"), format!("theirs_{run}1_1_0"));
        for name in [&held, &left, &theirs] {
            testenv::postgres::note(name).await.unwrap();
            server.execute(&format!("CREATE DATABASE \"{name}\"")).await.unwrap();
        }

        drop(lab);

        let mut admin = PgConnection::connect(&lives.0.entrance().superuser_url()).await.unwrap();
        let gone = wait::until(Duration::from_secs(20), "the end of what was left", async || {
            let there = databases(&mut admin, &format!("lab_{run}1_1")).await.unwrap();
            if there.is_empty() { Ok(()) } else { Err(there.join(", ")) }
        });
        gone.await.unwrap();
        assert_eq!(lives.databases().await, [held]);
        assert_eq!(
            databases(&mut admin, &format!("theirs_{run}1_1")).await.unwrap(),
            std::slice::from_ref(&theirs)
        );
        server.execute(&format!("DROP DATABASE \"{theirs}\"")).await.unwrap();
    }
}
