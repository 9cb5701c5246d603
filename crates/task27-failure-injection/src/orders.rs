//! The orders of a shop, on a PostgreSQL that may be slow, silent or gone.
//!
//! Invariant: no statement is sent twice if it may have changed something.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use testenv::fault;
use tokio::time::timeout;

use crate::faults;
use crate::outcome::{Failure, Miss, timed_out};

/// How long the client tries, and how often.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The limit of an attempt, from asking for a connection to the whole answer.
    pub attempt: Duration,
    /// The most attempts of a call, the first included.
    pub attempts: u32,
    /// The shortest wait before a retry.
    pub pause: Duration,
    /// The limit of a call, with all its attempts and waits.
    pub budget: Duration,
    /// The most connections at a time.
    pub connections: u32,
}

/// A client of the orders.
///
/// `wait` is how the client lets time pass before a retry. A program passes `tokio::time::sleep`. A
/// test passes a closure that returns at once.
///
/// ```no_run
/// # use task27_failure_injection::{Failure, Orders, Policy};
/// # async fn total(url: &str, policy: Policy) -> Result<(), Failure> {
/// let orders = Orders::open(url, policy, tokio::time::sleep);
/// match orders.place(7, 4200).await {
///     Err(Failure::Unknown(_)) => println!("placed or not: {} cents", orders.total(7).await?),
///     placed => println!("order {}", placed?),
/// }
/// # Ok(())
/// # }
/// ```
pub struct Orders<W> {
    pool: PgPool,
    policy: Policy,
    wait: W,
}

impl<W: AsyncFn(Duration)> Orders<W> {
    /// Returns a client; it connects when it is used.
    ///
    /// # Panics
    ///
    /// If `url` is no PostgreSQL URL.
    pub fn open(url: &str, policy: Policy, wait: W) -> Orders<W> {
        let options: PgConnectOptions = url.parse().expect("a PostgreSQL URL");
        let pool = faults::pool(&policy).connect_lazy_with(options);
        Orders { pool, policy, wait }
    }

    /// Returns what the orders of a user cost, in cents.
    ///
    /// # Errors
    ///
    /// [`Failure::Unavailable`] or [`Failure::Refused`].
    pub async fn total(&self, user: i64) -> Result<i64, Failure> {
        let sum = "SELECT coalesce(sum(total_cents), 0)::bigint FROM orders WHERE user_id = $1";
        let repeatable = true;
        self.call(repeatable, async |connection| {
            sqlx::query_scalar(sum).bind(user).fetch_one(connection).await
        })
        .await
    }

    /// Places an order and returns its id.
    ///
    /// # Errors
    ///
    /// [`Failure`]. After [`Failure::Unknown`] the order may be placed.
    pub async fn place(&self, user: i64, cents: i64) -> Result<i64, Failure> {
        let insert = "INSERT INTO orders (user_id, total_cents) VALUES ($1, $2) RETURNING id";
        let repeatable = false;
        self.call(repeatable, async |connection| {
            sqlx::query_scalar(insert).bind(user).bind(cents).fetch_one(connection).await
        })
        .await
    }

    async fn call<T>(
        &self,
        repeatable: bool,
        statement: impl AsyncFn(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Failure> {
        let start = Instant::now();
        for attempts in 1.. {
            let cause = match self.attempt(self.left(start), &statement).await {
                Ok(answer) => return Ok(answer),
                Err(Miss::Refused(cause)) => return Err(Failure::Refused(cause)),
                Err(Miss::NoAnswer(cause)) if !repeatable && !faults::repeats_insert(&cause) => {
                    return Err(faults::unknown(cause, attempts));
                }
                Err(Miss::NoConnection(cause) | Miss::NoAnswer(cause)) => cause,
            };
            let pause = faults::pause(&self.policy, attempts);
            let is_last = attempts >= faults::attempts(&self.policy, repeatable);
            if is_last || pause >= self.left(start) {
                return Err(Failure::Unavailable { attempts, cause });
            }
            if !fault!("retries-at-once") {
                (self.wait)(pause).await;
            }
        }
        unreachable!("the attempts end before the numbers")
    }

    async fn attempt<T>(
        &self,
        left: Duration,
        statement: &impl AsyncFn(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Miss> {
        let start = Instant::now();
        let limit = left.min(faults::attempt(&self.policy));
        let acquired = timeout(faults::connecting(limit), self.pool.acquire()).await;
        let mut connection = match acquired {
            Ok(acquired) => acquired.map_err(Miss::of_connecting)?,
            Err(_) => return Err(Miss::NoConnection(timed_out())),
        };
        let limit = faults::answering(limit.saturating_sub(start.elapsed()));
        let answer = timeout(limit, statement(&mut connection)).await;
        let miss = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Miss::of_statement(error),
            Err(_) => Miss::NoAnswer(timed_out()),
        };
        // Its answer may still come. In the pool, it would keep a place until then.
        if matches!(miss, Miss::NoAnswer(_)) && !fault!("timed-out-connection-returned") {
            drop(connection.detach());
        }
        Err(miss)
    }

    fn left(&self, start: Instant) -> Duration {
        if fault!("budget-ignored") {
            return Duration::MAX;
        }
        self.policy.budget.saturating_sub(start.elapsed())
    }
}
