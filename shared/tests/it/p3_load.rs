//! P3 under load: many databases, many connections, and somebody who tries to connect to the
//! template.

use std::process::Stdio;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use testenv::fresh_db;
use tokio::task::JoinSet;

use crate::lab::{self, Lab, PROMISED};

#[tokio::test]
async fn many_tests_with_ten_connections_each_are_served() {
    let tests = lab::load(16, 64);
    let mut databases = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..tests {
        let db = fresh_db().await;
        for _ in 0..10 {
            connections.push(db.pool().acquire().await.unwrap());
        }
        databases.push(db);
    }

    assert_eq!(connections.len(), 10 * tests);
}

#[tokio::test]
async fn a_crowd_of_forks_succeeds_while_somebody_knocks_at_the_template() {
    let db = fresh_db().await;
    let knocks = tokio::spawn(knock(db.url().to_owned(), templates(&db).await));

    let mut forks = JoinSet::new();
    let crowd = lab::load(50, 500);
    for _ in 0..crowd {
        forks.spawn(async {
            let db = fresh_db().await;
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM users").fetch_one(db.pool()).await
        });
    }
    let counts: Vec<i64> = forks.join_all().await.into_iter().map(Result::unwrap).collect();

    assert_eq!(counts, vec![0; crowd]);
    assert!(!knocks.is_finished(), "somebody got in: {:?}", knocks.await);
    knocks.abort();
}

async fn templates(db: &testenv::Db) -> Vec<String> {
    let names = "SELECT datname FROM pg_database WHERE datname LIKE 'testenv\\_tpl\\_%'";
    sqlx::query_scalar(names).fetch_all(db.pool()).await.unwrap()
}

/// Tries to open a session in a template, which would hold up all copies, until that succeeds.
async fn knock(url: String, templates: Vec<String>) -> String {
    let options: PgConnectOptions = url.parse().unwrap();
    assert_ne!(templates, Vec::<String>::new());
    loop {
        for template in &templates {
            if options.clone().database(template).connect().await.is_ok() {
                return template.clone();
            }
        }
    }
}

#[test]
fn a_test_that_fails_among_a_hundred_databases_is_told_of_the_limit_of_connections() {
    let lab = Lab::new();
    let mut actor = lab.actor("a hundred databases", "panic");

    let output = actor.stderr(Stdio::piped()).output().unwrap();

    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("100 databases are held at once") && said.contains("1000 connections"),
        "{said}"
    );
    lab.expect_nothing_left(PROMISED);
}
