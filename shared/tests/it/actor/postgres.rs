//! The parts that play with PostgreSQL.

use testenv::fresh_db;
use testenv::tools::Run;

use crate::given::{serve, serve_small};
use crate::{Held, held, nothing, runtime, say};

pub(crate) fn play(part: &str) -> Option<Held> {
    // Joined by the parts alone: somebody else's part may have to do something before.
    let (run, runtime) = (|| Run::join().unwrap(), runtime());
    match part {
        "postgres" => return held(runtime.block_on(write())),
        "family" => return held(runtime.block_on(family())),
        "noted" => return held(runtime.block_on(noted())),
        "dump" => runtime.block_on(dump(run())),
        "role" => runtime.block_on(role()),
        "settings" => runtime.block_on(settings()),
        "superuser" => drop(runtime.block_on(fresh_db()).superuser().clone()),
        "postgres, again and again" => runtime.block_on(again_and_again()),
        "a hundred databases" => return held(runtime.block_on(hundred())),
        "postgres, more and more" => runtime.block_on(more_and_more()),
        "given postgres" => say(&runtime.block_on(run().once("given", serve)).unwrap()),
        "small postgres" => say(&runtime.block_on(run().once("given", serve_small)).unwrap()),
        _ => return None,
    }
    nothing()
}

/// A database with a row in it; its name is said.
async fn write() -> testenv::Db {
    let db = fresh_db().await;
    let insert = "INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.org')";
    sqlx::query(insert).execute(db.pool()).await.unwrap();
    db
}

/// Says settings of both servers.
async fn settings() {
    let (db, redis) = (fresh_db().await, testenv::fresh_redis().await);
    let of_postgres = "SELECT current_setting('work_mem') || ' ' || current_setting('wal_level')";
    let of_postgres: String = sqlx::query_scalar(of_postgres).fetch_one(db.pool()).await.unwrap();
    let mut connection = redis.connection().await;
    let mut said = vec![of_postgres];
    for name in ["hz", "maxmemory-policy"] {
        let mut get = redis::cmd("CONFIG");
        let got: Vec<String> = get.arg("GET").arg(name).query_async(&mut connection).await.unwrap();
        said.push(got[1].clone());
    }
    say(&said.join(" "));
}

/// A database with two others and a role that are named after it.
async fn family() -> testenv::Db {
    let db = fresh_db().await;
    let name = db.name();
    for create in [
        format!("CREATE DATABASE {name}_archive"),
        format!("CREATE ROLE {name}_owner"),
        format!("CREATE DATABASE {name}_owned OWNER {name}_owner"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(db.superuser()).await.unwrap();
    }
    say(name);
    db
}

/// A database beside one that is noted under a name of its own.
async fn noted() -> testenv::Db {
    let db = fresh_db().await;
    testenv::postgres::note("archive").await.unwrap();
    sqlx::query("CREATE DATABASE archive").execute(db.superuser()).await.unwrap();
    say("noted");
    db
}

/// Who a test is.
async fn role() {
    let who = "SELECT format('role: %s %s', current_user, current_setting('is_superuser'))";
    let db = fresh_db().await;
    say(&sqlx::query_scalar::<_, String>(who).fetch_one(db.pool()).await.unwrap());
}

/// A dump of a database with a row in it.
async fn dump(run: &Run) {
    let (db, file) = (write().await, run.dir().join("dump.sql"));
    testenv::snapshot::dump(&db, &file).await.unwrap();
    assert!(std::fs::read_to_string(file).unwrap().contains("ada@example.org"));
}

/// One database after the other, until one cannot be had or used.
async fn again_and_again() {
    drop(write().await);
    say("begun");
    loop {
        drop(write().await);
    }
}

async fn hundred() -> Vec<testenv::Db> {
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(fresh_db().await);
    }
    held
}

/// Databases held at the same time, until one cannot be had. Nothing is written into them: on a full
/// disk, that could fail first.
async fn more_and_more() {
    let mut held = vec![write().await];
    say("begun");
    loop {
        held.push(fresh_db().await);
        say(&held.len().to_string());
    }
}
