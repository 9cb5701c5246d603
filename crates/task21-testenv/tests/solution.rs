//! The finished harness, and the checks of its promises, to compare with yours. Each check is made on it and on somebody else's.
#![cfg(feature = "integration")]

use std::ops::Deref;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use task21_testenv::{Harness, Lab, Server, Theirs};
use testenv::wait;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// The harness: a server and a template, made by whoever comes first, and copies of it.
struct Small {
    lab: Lab,
    template: OnceCell<(Server, String)>,
}

/// A database of a test's own; dropping it removes it, on a thread that nobody waits for.
struct SmallDb {
    pool: PgPool,
    server: Server,
    name: String,
}

impl Harness for Small {
    type Db = SmallDb;

    fn on(lab: &Lab) -> Small {
        Small { lab: lab.clone(), template: OnceCell::new() }
    }

    async fn fresh_db(&self) -> SmallDb {
        // The cell lets one in and has the others wait; a look before the start would let in all.
        let (server, template) = self.template.get_or_init(|| build(&self.lab)).await.clone();
        let name = server.new_name();
        server.copy(&template, &name).await.unwrap();
        let pool = PgPoolOptions::new().connect_lazy(&server.url_of(&name)).unwrap();
        SmallDb { pool, server, name }
    }
}

async fn build(lab: &Lab) -> (Server, String) {
    let server = lab.start().await;
    let name = server.new_name();
    server.copy("template0", &name).await.unwrap();
    server.migrate(&name).await;
    (server, name)
}

impl Deref for SmallDb {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}

impl Drop for SmallDb {
    fn drop(&mut self) {
        // FORCE, because connections of the pool are open; a runtime of its own, because the test's ends or is not there.
        let sql = format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name);
        let server = self.server.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(server.execute(&sql)).unwrap();
        });
    }
}

/// What R4 grants; a copy takes 50 ms, a machine that is busy with a build needs more.
const LIMIT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn four_at_once_start_one_server_and_migrate_once() {
    start_once::<Theirs>().await;
}

pub(crate) async fn start_once<H: Harness>() {
    let lab = Lab::open().await;
    let harness = H::on(&lab);

    let four = async {
        tokio::join!(harness.fresh_db(), harness.fresh_db(), harness.fresh_db(), harness.fresh_db())
    };
    let _four = timeout(LIMIT, four).await.expect("four databases at once");

    assert_eq!((lab.starts(), lab.migrations()), (1, 1), "servers started, migrations run");
}

#[tokio::test]
async fn two_at_a_time_are_migrated_and_see_nothing_of_each_other() {
    are_private::<Theirs>().await;
}

pub(crate) async fn are_private<H: Harness>() {
    let harness = H::on(&Lab::open().await);
    let one = fresh(&harness).await;
    let two = fresh(&harness).await;
    assert_eq!((users(&one).await, users(&two).await), (Some(0), Some(0)), "migrated and empty");

    sqlx::query(ADA).execute(&*one).await.unwrap();

    assert_eq!((users(&one).await, users(&two).await), (Some(1), Some(0)));
}

#[tokio::test]
async fn what_a_test_wrote_or_made_is_in_no_later_database() {
    leave_no_trace::<Theirs>().await;
}

pub(crate) async fn leave_no_trace<H: Harness>() {
    let harness = H::on(&Lab::open().await);
    let first = fresh(&harness).await;
    sqlx::query(ADA).execute(&*first).await.unwrap();
    sqlx::query("CREATE TABLE mine ()").execute(&*first).await.unwrap();
    drop(first);

    let later = fresh(&harness).await;

    assert_eq!(users(&later).await, Some(0));
    assert!(sqlx::query("SELECT FROM mine").fetch_all(&*later).await.is_err(), "a table is left");
}

#[tokio::test]
async fn a_dropped_database_is_gone_though_somebody_is_connected() {
    are_removed::<Theirs>().await;
}

pub(crate) async fn are_removed<H: Harness>() {
    let lab = Lab::open().await;
    let harness = H::on(&lab);
    let db = fresh(&harness).await;
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&*db).await.unwrap();
    let _connected = db.acquire().await.unwrap();
    assert!(lab.databases().await.contains(&name), "it stays while it is held");

    drop(db);

    let gone = wait::until(LIMIT, "the end of a dropped database", async || {
        if lab.databases().await.contains(&name) { Err("there") } else { Ok(()) }
    });
    gone.await.unwrap();
}

#[tokio::test]
async fn a_database_can_be_dropped_where_there_is_no_runtime() {
    drop_anywhere::<Theirs>().await;
}

pub(crate) async fn drop_anywhere<H: Harness>() {
    let db = fresh(&H::on(&Lab::open().await)).await;

    let dropped = std::thread::spawn(move || drop(db)).join();

    assert!(dropped.is_ok(), "its drop panicked");
}

const ADA: &str = "INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.org')";

async fn fresh<H: Harness>(harness: &H) -> H::Db {
    timeout(LIMIT, harness.fresh_db()).await.expect("a database, though another one is held")
}

/// How many users there are; `None` where there is no such table.
async fn users(db: &PgPool) -> Option<i64> {
    sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db).await.ok()
}

/// The same checks, made on the piece. They are tests of their own, because `cargo course check` runs on
/// a wrong harness only the tests that reach it.
mod on_small {
    use super::*;

    #[tokio::test]
    async fn four_at_once_start_one_server_and_migrate_once() {
        start_once::<Small>().await;
    }

    #[tokio::test]
    async fn two_at_a_time_are_migrated_and_see_nothing_of_each_other() {
        are_private::<Small>().await;
    }

    #[tokio::test]
    async fn what_a_test_wrote_or_made_is_in_no_later_database() {
        leave_no_trace::<Small>().await;
    }

    #[tokio::test]
    async fn a_dropped_database_is_gone_though_somebody_is_connected() {
        are_removed::<Small>().await;
    }

    #[tokio::test]
    async fn a_database_can_be_dropped_where_there_is_no_runtime() {
        drop_anywhere::<Small>().await;
    }
}
