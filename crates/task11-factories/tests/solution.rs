//! The finished suite: factories are judged by what stands in the tables.
#![cfg(feature = "integration")]

use sqlx::PgPool;
use task11_factories::{Factories, Order, User};

/// Any seed will do; a second one where two must not meet.
const SEED: u64 = 7;
const OTHER_SEED: u64 = 8;
/// As the requirement says.
const MANY: usize = 200;

#[tokio::test]
async fn two_hundred_users_fill_themselves_in_and_do_not_collide() {
    let db = testenv::fresh_db().await;
    let make = Factories::new(&db, SEED);

    for nth in 1..=MANY {
        let answer = make.user().insert().await;
        assert!(answer.is_ok(), "user {nth}: {answer:?}");
    }
}

#[tokio::test]
async fn two_seeds_do_not_collide_in_one_database() {
    let db = testenv::fresh_db().await;
    let _one = Factories::new(&db, SEED).user().insert().await.unwrap();

    let other = Factories::new(&db, OTHER_SEED).user().insert().await;

    assert!(other.is_ok(), "{other:?}");
}

#[tokio::test]
async fn a_user_is_what_was_set() {
    let db = testenv::fresh_db().await;
    let make = Factories::new(&db, SEED);

    let user = make.user().name("Åsa").email("asa@shop.example").insert().await.unwrap();

    let expected = User { id: user.id, name: "Åsa".into(), email: "asa@shop.example".into() };
    assert_eq!(users(&db).await, [expected]);
}

#[tokio::test]
async fn an_order_is_what_was_set_once_and_as_returned() {
    let db = testenv::fresh_db().await;
    let make = Factories::new(&db, SEED);
    let user = make.user().insert().await.unwrap();

    let free = make.order().user(&user).total_cents(0).status("cancelled").insert().await.unwrap();

    let expected =
        Order { id: free.id, user_id: user.id, total_cents: 0, status: "cancelled".into() };
    assert_eq!(free, expected);
    assert_eq!(orders(&db).await, [expected]);
}

#[tokio::test]
async fn an_order_belongs_to_the_user_it_was_given_and_makes_no_other() {
    let db = testenv::fresh_db().await;
    let make = Factories::new(&db, SEED);
    let given = make.user().insert().await.unwrap();
    let newest = make.user().insert().await.unwrap();

    let order = make.order().user(&given).insert().await.unwrap();

    assert_eq!(order.user_id, given.id);
    assert_eq!(users(&db).await, [given, newest]);
}

#[tokio::test]
async fn an_order_without_a_user_makes_one() {
    let db = testenv::fresh_db().await;
    let make = Factories::new(&db, SEED);
    let present = make.user().insert().await.unwrap();

    let order = make.order().insert().await.unwrap();

    let users = users(&db).await;
    assert_eq!((users.len(), &users[0]), (2, &present));
    assert_eq!(order.user_id, users[1].id);
}

#[tokio::test]
async fn one_seed_makes_the_same_values_again() {
    let (once, again) = (values_of_a_day(SEED).await, values_of_a_day(SEED).await);

    assert_eq!(once, again);
}

/// What a test makes in an empty database, without what the database adds.
async fn values_of_a_day(seed: u64) -> (Vec<(String, String)>, Vec<(i64, String)>) {
    let db = testenv::fresh_db().await;
    let make = Factories::new(&db, seed);
    let user = make.user().insert().await.unwrap();
    for _ in 0..3 {
        make.order().user(&user).insert().await.unwrap();
    }
    make.order().insert().await.unwrap();

    let users = users(&db).await.into_iter().map(|user| (user.name, user.email)).collect();
    let orders = orders(&db).await.into_iter().map(|order| (order.total_cents, order.status));
    (users, orders.collect())
}

async fn users(db: &PgPool) -> Vec<User> {
    sqlx::query_as("SELECT id, name, email FROM users ORDER BY id").fetch_all(db).await.unwrap()
}

async fn orders(db: &PgPool) -> Vec<Order> {
    sqlx::query_as("SELECT id, user_id, total_cents, status FROM orders ORDER BY id")
        .fetch_all(db)
        .await
        .unwrap()
}
