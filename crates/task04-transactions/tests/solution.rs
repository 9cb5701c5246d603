//! The finished suite: a transaction a test where that is enough, a database a test where something is committed.
#![cfg(feature = "integration")]

use std::time::Duration;

use sqlx::PgConnection;
use task04_transactions::{add_user, count_users, find_user, pay, register};
use testenv::{Db, factories};
use tokio::sync::Barrier;
use tokio::time::timeout;

/// A statement takes milliseconds; a machine that is busy with a build may take a second.
const LIMIT: Duration = Duration::from_secs(3);
/// Often enough that what is right by chance in one round is not in all.
const ROUNDS: usize = 10;

#[tokio::test]
async fn what_is_rolled_back_never_was() {
    let mut tx = testenv::begin().await;
    register(&mut tx, "Ada", "ada@rolled-back.example", 995).await.unwrap();
    drop(tx);

    let mut later = testenv::begin().await;
    let found = find_user(&mut *later, "ada@rolled-back.example").await.unwrap();

    assert_eq!(found, None);
}

#[tokio::test]
async fn two_open_transactions_do_not_see_each_other_ten_times_in_a_row() {
    for round in 1..=ROUNDS {
        let (left, right) =
            (format!("left@round{round}.example"), format!("right@round{round}.example"));
        let meeting = Barrier::new(2);

        let both =
            async { tokio::join!(visit(&left, &right, &meeting), visit(&right, &left, &meeting)) };
        let seen = timeout(LIMIT, both).await.expect("neither transaction waits for the other");

        assert_eq!(seen, (Seen::ONLY_ITSELF, Seen::ONLY_ITSELF), "round {round}");
    }
}

#[tokio::test]
async fn a_refused_registration_leaves_the_callers_transaction_as_it_was() {
    let mut tx = testenv::begin().await;
    let before = add_user(&mut *tx, "Ada", "ada@before.example").await.unwrap();

    let refused = register(&mut tx, "Bob", "bob@refused.example", -1).await;

    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(find_user(&mut *tx, "bob@refused.example").await.unwrap(), None);
    assert_eq!(find_user(&mut *tx, "ada@before.example").await.unwrap(), Some(before));
}

#[tokio::test]
async fn two_payments_of_two_orders_do_not_wait_for_each_other() {
    let db = testenv::fresh_db().await;
    let (first, second) = (order(&db).await, order(&db).await);
    let (mut left, mut right) = (db.begin().await.unwrap(), db.begin().await.unwrap());
    pay(&mut left, first).await.unwrap();

    let answer = timeout(LIMIT, pay(&mut right, second)).await.expect("pay ends");

    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn a_committed_payment_leaves_neither_setting_nor_lock_on_its_connection() {
    let db = testenv::fresh_db().await;
    let order = order(&db).await;
    let mut connection = db.acquire().await.unwrap();
    let before = lock_timeout(&mut connection).await;

    pay(&mut connection, order).await.unwrap();

    assert_eq!(lock_timeout(&mut connection).await, before);
    assert_eq!(advisory_locks(&mut connection).await, 0);
}

/// What a transaction sees while another one has written and is not committed.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    itself: bool,
    the_other: bool,
    more_users: i64,
}

impl Seen {
    const ONLY_ITSELF: Seen = Seen { itself: true, the_other: false, more_users: 1 };
}

/// A test as it could be, in a transaction: it writes, and looks when the other one has written too. Nobody leaves before both have looked, so
/// that the two are parallel, and not only started together.
async fn visit(mine: &str, theirs: &str, meeting: &Barrier) -> Seen {
    let mut tx = testenv::begin().await;
    let before = count_users(&mut *tx).await.unwrap();
    register(&mut tx, "Ada", mine, 995).await.unwrap();

    meeting.wait().await;
    let seen = Seen {
        itself: find_user(&mut *tx, mine).await.unwrap().is_some(),
        the_other: find_user(&mut *tx, theirs).await.unwrap().is_some(),
        more_users: count_users(&mut *tx).await.unwrap() - before,
    };
    meeting.wait().await;
    seen
}

/// An open order of somebody; both are committed.
async fn order(db: &Db) -> i64 {
    let user = factories::user(db).insert().await;
    factories::order(db, &user).insert().await.id
}

async fn lock_timeout(connection: &mut PgConnection) -> String {
    sqlx::query_scalar("SHOW lock_timeout").fetch_one(connection).await.unwrap()
}

async fn advisory_locks(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}
