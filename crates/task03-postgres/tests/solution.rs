//! The finished suite: a database of its own for every test, and the table asked, not the subject.
#![cfg(feature = "integration")]

use std::time::Duration;

use sqlx::PgPool;
use task03_postgres::{NewUser, User, UserError, UserRepo};
use testenv::{factories, wait};
use tokio::time::timeout;

/// A statement takes milliseconds; a machine that is busy with a build may take a second.
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn each_id_selects_the_row_of_its_user() {
    let db = testenv::fresh_db().await;
    let repo = UserRepo::new(db.pool().clone());

    let ada = repo.insert(&new_user("Ada", "ada@example.org")).await.unwrap();
    let bob = repo.insert(&new_user("Bob", "bob@example.org")).await.unwrap();

    assert!(ada != 0 && bob != 0, "{ada}, {bob}");
    assert_eq!(
        table(&db).await,
        [user(ada, "Ada", "ada@example.org"), user(bob, "Bob", "bob@example.org")]
    );
}

#[tokio::test]
async fn a_name_and_an_address_are_kept_to_the_letter() {
    let db = testenv::fresh_db().await;
    let (name, email) = (" Åsa d'Arc ", "Asa.DArc@Example.ORG");

    let id = UserRepo::new(db.pool().clone()).insert(&new_user(name, email)).await.unwrap();

    assert_eq!(table(&db).await, [user(id, name, email)]);
}

#[tokio::test]
async fn a_taken_address_is_refused_by_its_name_and_the_first_user_stays() {
    let db = testenv::fresh_db().await;
    let first = factories::user(&db).insert().await;

    let answer =
        UserRepo::new(db.pool().clone()).insert(&new_user("The second", &first.email)).await;

    assert_taken(&answer, &first.email);
    assert_eq!(table(&db).await, [user(first.id, &first.name, &first.email)]);
}

#[tokio::test]
async fn who_loses_a_race_is_told_that_the_address_is_taken() {
    let db = testenv::fresh_db().await;
    let mut winner = db.begin().await.unwrap();
    sqlx::query("INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.org')")
        .execute(&mut *winner)
        .await
        .unwrap();

    let repo = UserRepo::new(db.pool().clone());
    let loser = tokio::spawn(async move { repo.insert(&new_user("Ada", "ada@example.org")).await });
    wait::until(LIMIT, "an insert that waits for the winner", || one_waits(&db)).await.unwrap();
    winner.commit().await.unwrap();
    let answer = timeout(LIMIT, loser).await.expect("insert ends").unwrap();

    assert_taken(&answer, "ada@example.org");
}

#[tokio::test]
async fn a_refusal_for_another_reason_is_not_a_taken_address() {
    let db = testenv::fresh_db().await;

    let answer = UserRepo::new(db.pool().clone()).insert(&new_user("", "ada@example.org")).await;

    assert!(matches!(answer, Err(UserError::Database(_))), "{answer:?}");
}

#[tokio::test]
async fn the_user_of_the_id_is_found_among_others() {
    let db = testenv::fresh_db().await;
    let _first = factories::user(&db).insert().await;
    let second = factories::user(&db).insert().await;

    let found = UserRepo::new(db.pool().clone()).find(second.id).await.unwrap();

    assert_eq!(found, Some(user(second.id, &second.name, &second.email)));
}

#[tokio::test]
async fn an_id_that_nobody_has_finds_nobody() {
    let db = testenv::fresh_db().await;
    let somebody = factories::user(&db).insert().await;

    let found = UserRepo::new(db.pool().clone()).find(somebody.id + 1).await.unwrap();

    assert_eq!(found, None);
}

fn new_user(name: &str, email: &str) -> NewUser {
    NewUser { name: name.into(), email: email.into() }
}

fn user(id: i64, name: &str, email: &str) -> User {
    User { id, name: name.into(), email: email.into() }
}

/// What really stands there, in the order of the ids.
async fn table(db: &PgPool) -> Vec<User> {
    sqlx::query_as("SELECT id, name, email FROM users ORDER BY id").fetch_all(db).await.unwrap()
}

#[track_caller]
fn assert_taken(answer: &Result<i64, UserError>, address: &str) {
    assert!(
        matches!(answer, Err(UserError::EmailTaken { email }) if email == address),
        "{answer:?}"
    );
}

/// Ok when one connection of this database waits for another one's transaction.
async fn one_waits(db: &PgPool) -> Result<(), String> {
    let waiting: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_one(db)
    .await
    .map_err(|error| error.to_string())?;
    if waiting == 1 { Ok(()) } else { Err(format!("{waiting} connections wait for a lock")) }
}
