//! The finished suite of task 27, to compare with yours. What heals a network is the closure that
//! the client calls before a retry, so no test sleeps.
#![cfg(feature = "integration")]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Postgres, Transaction};
use task27_failure_injection::{Failure, Orders, Policy};
use testenv::Direction::Downstream;
use testenv::{Db, Proxy, wait};

/// Ends a test whose client does not end. The longest call here takes two.
const LIMIT: Duration = Duration::from_secs(5);
/// For attempts that get no answer.
const SHORT: Duration = Duration::from_millis(300);
/// For attempts that get an answer, one of four also on a busy machine.
const LONG: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);
const LATENCY: Duration = Duration::from_millis(500);

const POLICY: Policy = Policy {
    attempt: LONG,
    attempts: 4,
    pause: PAUSE,
    budget: Duration::from_secs(60),
    connections: 1,
};

#[tokio::test]
async fn an_order_is_placed_half_a_second_away() {
    let shop = Shop::open().await;
    shop.proxy.latency(Downstream, LATENCY).await.unwrap();
    let orders = shop.orders(Policy { attempt: 2 * LIMIT, ..POLICY });
    let start = Instant::now();

    let placed = orders.place(shop.user, 4200).await;

    assert!(start.elapsed() >= 2 * LATENCY, "the answers were not delayed");
    assert_eq!(placed.unwrap(), shop.ask("SELECT max(id) FROM orders").await);
}

#[tokio::test]
async fn without_a_connection_an_attempt_ends_in_time() {
    let shop = Shop::open().await;
    shop.proxy.timeout(Downstream, Duration::ZERO).await.unwrap();
    let orders = shop.orders(Policy { attempt: SHORT, attempts: 2, ..POLICY });

    let total = within(orders.total(shop.user)).await;

    assert!(matches!(total, Err(Failure::Unavailable { attempts: 2, .. })), "{total:?}");
}

#[tokio::test]
async fn without_an_answer_an_attempt_ends_in_time() {
    let shop = Shop::open().await;
    let _lock = shop.lock_table().await;
    let orders = shop.orders(Policy { attempt: SHORT, attempts: 2, ..POLICY });

    let total = within(orders.total(shop.user)).await;

    assert!(matches!(total, Err(Failure::Unavailable { attempts: 2, .. })), "{total:?}");
}

#[tokio::test]
async fn a_query_survives_a_cut() {
    let shop = Shop::open().await;
    let lock = shop.lock_table().await;
    let orders = Orders::open(&shop.proxy.url(), POLICY, async |_pause| {
        lock.release().await;
        shop.proxy.heal().await.unwrap();
    });

    let (total, ()) = tokio::join!(within(orders.total(shop.user)), async {
        shop.until_a_statement_waits().await;
        shop.proxy.cut().await.unwrap();
    });

    assert_eq!(total.unwrap(), 0);
}

#[tokio::test]
async fn a_cut_for_good_is_given_up_after_the_attempts_and_the_pauses() {
    let shop = Shop::open().await;
    shop.proxy.cut().await.unwrap();
    let orders = shop.orders(Policy { attempt: SHORT, ..POLICY });

    let total = within(orders.total(shop.user)).await;

    let Err(Failure::Unavailable { attempts, .. }) = total else { panic!("{total:?}") };
    assert!((2..=POLICY.attempts).contains(&attempts), "{attempts} attempts");
    let pauses = shop.pauses.borrow();
    assert_eq!(pauses.len() as u32 + 1, attempts, "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause >= PAUSE), "{pauses:?}");
}

#[tokio::test]
async fn a_call_ends_within_its_budget_however_many_attempts_are_left() {
    let shop = Shop::open().await;
    shop.proxy.timeout(Downstream, Duration::ZERO).await.unwrap();
    let policy = Policy { attempt: SHORT, attempts: 1000, budget: 3 * SHORT, ..POLICY };
    let orders = shop.orders(policy);

    let total = within(orders.total(shop.user)).await;

    assert!(matches!(total, Err(Failure::Unavailable { attempts: 1..=4, .. })), "{total:?}");
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_unknown_and_placed_once() {
    let shop = Shop::open().await;

    let placed = shop.place_in_trouble(async || {
        shop.proxy.timeout(Downstream, Duration::ZERO).await.unwrap();
    });

    let placed = placed.await;
    assert!(matches!(placed, Err(Failure::Unknown(_))), "{placed:?}");
    assert_eq!(shop.count_when_idle().await, 1);
}

#[tokio::test]
async fn an_order_whose_connection_is_cut_is_unknown_and_placed_once() {
    let shop = Shop::open().await;

    let placed = shop.place_in_trouble(async || shop.proxy.cut().await.unwrap());

    let placed = placed.await;
    assert!(matches!(placed, Err(Failure::Unknown(_))), "{placed:?}");
    assert_eq!(shop.count_when_idle().await, 1);
}

#[tokio::test]
async fn an_order_without_a_connection_is_placed_when_there_is_one() {
    let shop = Shop::open().await;
    shop.proxy.cut().await.unwrap();
    let orders = Orders::open(&shop.proxy.url(), POLICY, async |_pause| {
        shop.proxy.heal().await.unwrap();
    });

    let placed = within(orders.place(shop.user, 4200)).await;

    assert!(placed.is_ok(), "{placed:?}");
    assert_eq!(shop.count_when_idle().await, 1);
}

#[tokio::test]
async fn an_order_after_an_outage_is_placed_on_a_live_connection() {
    let shop = Shop::open().await;
    let orders = shop.orders(POLICY);
    within(orders.place(shop.user, 1)).await.unwrap();
    // A pool that has its connection back only after the outage notices the end of it: not each time.
    for outage in 1..=5 {
        shop.proxy.cut().await.unwrap();
        shop.proxy.heal().await.unwrap();

        let placed = within(orders.place(shop.user, 1)).await;

        assert!(placed.is_ok(), "after outage {outage}: {placed:?}");
    }
    assert_eq!(within(orders.total(shop.user)).await.unwrap(), 6);
}

#[tokio::test]
async fn a_statement_that_timed_out_leaves_its_connection_to_nobody() {
    let shop = Shop::open().await;
    let _lock = shop.lock_user().await;
    let orders = shop.orders(POLICY);

    let placed = within(orders.place(shop.user, 4200)).await;
    let total = within(orders.total(shop.user)).await;

    assert!(matches!(placed, Err(Failure::Unknown(_))), "{placed:?}");
    assert_eq!(total.unwrap(), 0);
}

#[tokio::test]
async fn what_the_server_refuses_is_not_tried_again() {
    let shop = Shop::open().await;
    let orders = shop.orders(POLICY);

    let placed = within(orders.place(shop.user + 1, 4200)).await;
    sqlx::query("DROP TABLE orders").execute(shop.db.pool()).await.unwrap();
    let total = within(orders.total(shop.user)).await;

    assert!(matches!(placed, Err(Failure::Refused(_))), "{placed:?}");
    assert!(matches!(total, Err(Failure::Refused(_))), "{total:?}");
    assert_eq!(shop.pauses.borrow().len(), 0);
}

#[tokio::test]
async fn a_query_survives_a_restart_of_the_server() {
    let shop = Shop::open().await;
    let lock = shop.lock_table().await;
    let orders = Orders::open(&shop.proxy.url(), POLICY, async |_pause| lock.release().await);

    let (total, ()) = tokio::join!(within(orders.total(shop.user)), async {
        shop.until_a_statement_waits().await;
        shop.ask("SELECT count(pg_terminate_backend(pid)) FROM waiting").await;
    });

    assert_eq!(total.unwrap(), 0);
}

/// A database, a network to it, and a user who orders.
struct Shop {
    db: Db,
    proxy: Proxy,
    user: i64,
    pauses: RefCell<Vec<Duration>>,
}

impl Shop {
    async fn open() -> Shop {
        let db = testenv::fresh_db().await;
        let proxy = testenv::fresh_proxy(db.url()).await;
        let ada = "INSERT INTO users (name, email) VALUES ('Ada', 'ada@shop.example') RETURNING id";
        let user = sqlx::query_scalar(ada).fetch_one(db.pool()).await.unwrap();
        Shop { db, proxy, user, pauses: RefCell::default() }
    }

    /// A client behind the proxy that notes its pauses.
    fn orders(&self, policy: Policy) -> Orders<impl AsyncFn(Duration)> {
        Orders::open(&self.proxy.url(), policy, async |pause| self.pauses.borrow_mut().push(pause))
    }

    /// Places an order, and makes trouble when the INSERT is under way. The INSERT then succeeds.
    /// The trouble ends in the pause, if the client makes one.
    async fn place_in_trouble(&self, trouble: impl AsyncFnOnce()) -> Result<i64, Failure> {
        let lock = self.lock_user().await;
        let orders = Orders::open(&self.proxy.url(), POLICY, async |_pause| {
            self.proxy.heal().await.unwrap();
        });
        let (placed, ()) = tokio::join!(within(orders.place(self.user, 4200)), async {
            self.until_a_statement_waits().await;
            trouble().await;
            lock.release().await;
        });
        placed
    }

    /// Queries of `orders` wait until it is released.
    async fn lock_table(&self) -> Lock {
        self.lock("LOCK TABLE orders").await
    }

    /// Orders of the user wait until it is released: in the INSERT, for its reference to the user.
    async fn lock_user(&self) -> Lock {
        self.lock("SELECT id FROM users FOR UPDATE").await
    }

    async fn lock(&self, statement: &'static str) -> Lock {
        let mut transaction = self.db.pool().begin().await.unwrap();
        sqlx::query(statement).execute(&mut *transaction).await.unwrap();
        Lock(RefCell::new(Some(transaction)))
    }

    async fn until_a_statement_waits(&self) {
        self.until("a statement that waits", "SELECT count(*) FROM waiting", 1).await;
    }

    /// The number of orders when no statement is under way any more.
    async fn count_when_idle(&self) -> i64 {
        self.until("the end of all statements", "SELECT count(*) FROM active", 0).await;
        self.ask("SELECT count(*) FROM orders").await
    }

    async fn until(&self, what: &str, number: &str, expected: i64) {
        let look = async || {
            let found = self.ask(number).await;
            if found == expected { Ok(()) } else { Err(format!("{found} of them")) }
        };
        wait::until(LIMIT, what, look).await.unwrap();
    }

    /// Asks past the proxy. `active` and `waiting` are the sessions whose statement runs, or waits
    /// for a lock.
    async fn ask(&self, number: &str) -> i64 {
        let sessions = "WITH active AS (SELECT * FROM pg_stat_activity
                          WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'),
                        waiting AS (SELECT * FROM active WHERE wait_event_type = 'Lock')";
        let query = AssertSqlSafe(format!("{sessions} {number}"));
        sqlx::query_scalar(query).fetch_one(self.db.pool()).await.unwrap()
    }
}

struct Lock(RefCell<Option<Transaction<'static, Postgres>>>);

impl Lock {
    async fn release(&self) {
        if let Some(transaction) = self.0.take() {
            transaction.rollback().await.unwrap();
        }
    }
}

async fn within<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, call).await.expect("the client ends")
}
