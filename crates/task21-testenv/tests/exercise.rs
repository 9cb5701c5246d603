//! Your harness and the checks of its promises. The README lists them; `cargo course check task21` says which wrong harnesses get past your checks.
#![cfg(feature = "integration")]

use std::ops::Deref;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use task21_testenv::{Harness, Lab, Theirs};

/// Your piece. It gives a database to each test, and breaks most of what it should promise.
pub struct Mine {
    lab: Lab,
}

/// What a test gets.
pub struct MyDb {
    pool: PgPool,
}

impl Harness for Mine {
    type Db = MyDb;

    fn on(lab: &Lab) -> Mine {
        Mine { lab: lab.clone() }
    }

    async fn fresh_db(&self) -> MyDb {
        let server = self.lab.start().await;
        let name = server.new_name();
        server.copy("template0", &name).await.unwrap();
        server.migrate(&name).await;
        MyDb { pool: PgPoolOptions::new().connect_lazy(&server.url_of(&name)).unwrap() }
    }
}

impl Deref for MyDb {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}

#[tokio::test]
async fn a_database_answers() {
    answers::<Theirs>().await;
}

/// A test of its own: `cargo course check` runs on a wrong harness only the tests that reach it.
#[tokio::test]
async fn a_database_of_mine_answers() {
    answers::<Mine>().await;
}

/// A check is written for any harness, so that you can try it on yours and on one that may be wrong.
async fn answers<H: Harness>() {
    let lab = Lab::open().await;
    let db = H::on(&lab).fresh_db().await;

    let answer: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&*db).await.unwrap();

    assert_eq!(answer, 1);
}

// Still to be written: a check for each promise, and the harness that passes it.
//   R1  four tests ask at the same time: lab.starts() and lab.migrations()
//   R2  migrated and private: no other test sees the changes, neither at the same time nor later
//   R3  two databases are held at the same time; put a limit around everything that could wait
//   R4  a dropped database is gone within three seconds, even if a client is connected; a held one stays
//   R5  a drop on a thread without a runtime does not panic
