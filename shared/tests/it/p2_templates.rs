//! P2: migrations run once per content, on one server per run (P1), whatever races.

use std::collections::BTreeSet;

use sqlx::{Connection, PgConnection};

use crate::lab::engine::started;
use crate::lab::{self, Lab, PROMISED, sixteen_race};

async fn templates(url: &str) -> BTreeSet<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let names = sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'testenv%'");
    let names: Vec<String> = names.fetch_all(&mut connection).await.unwrap();
    names.into_iter().collect()
}

#[test]
fn sixteen_processes_racing_a_cold_start_and_an_unbuilt_template_build_one_of_each() {
    let lab = Lab::new();

    let started = started(&lab, || sixteen_race(&lab, "postgres", &[]));

    assert_eq!(started, ["postgres"]);
    lab.expect_nothing_left(PROMISED);
}

#[tokio::test]
async fn a_given_server_keeps_one_template_per_content_and_loses_the_older_one() {
    let theirs = Lab::new();
    let mut owner = theirs.actor("given postgres", "wait").spawn().unwrap();
    let url = lab::line(&mut owner);
    let run = |lab: &Lab| {
        let done =
            lab.actor("postgres", "pass").env("TESTENV_POSTGRES_URL", &url).status().unwrap();
        assert!(done.success());
        lab.expect_nothing_left(PROMISED);
    };
    // A template of the same line with another content, as an edit of the last migration leaves one.
    let ours = Lab::new();
    run(&ours);
    let first = templates(&url).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let name = first.iter().next().unwrap();
    let older = "testenv_tpl_0123456789abcdef";
    let sql = format!("ALTER DATABASE \"{name}\" RENAME TO {older}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();

    run(&ours);
    let second = templates(&url).await;
    run(&ours);

    assert_eq!((first.len(), &second), (1, &first), "the older one is gone, the new one is there");
    assert_eq!(templates(&url).await, first);
    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}
