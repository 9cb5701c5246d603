//! P3 if a test stops tokio's clock: tests wait for servers in real time, and the test's clock does
//! not move.

use std::time::Duration;

use testenv::{fresh_db, wait};
use tokio::task::JoinSet;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_database_is_had_and_used_while_the_clock_stands_still() {
    let begun = Instant::now();

    let db = fresh_db().await;
    for name in ["Ada", "Grace", "Edsger"] {
        let insert = sqlx::query("INSERT INTO users (name, email) VALUES ($1, $1)").bind(name);
        insert.execute(db.pool()).await.unwrap();
    }
    let mut tx = db.pool().begin().await.unwrap();
    sqlx::query("DELETE FROM users WHERE name = 'Ada'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();

    let users: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db.pool()).await.unwrap();
    assert_eq!(users, 2);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn more_tasks_than_connections_wait_for_each_other_while_the_clock_stands_still() {
    let db = fresh_db().await;
    let mut tasks = JoinSet::new();
    for _ in 0..25 {
        let pool = db.pool().clone();
        tasks.spawn(
            async move { sqlx::query("SELECT pg_sleep(0.05)").execute(&pool).await.map(drop) },
        );
    }

    let done: Result<Vec<()>, sqlx::Error> = tasks.join_all().await.into_iter().collect();

    done.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_stopped_later_is_no_matter_to_a_database() {
    let (unused, used) = (fresh_db().await, fresh_db().await);
    sqlx::query("SELECT 1").execute(used.pool()).await.unwrap();
    tokio::time::pause();
    let begun = Instant::now();

    for _ in 0..20 {
        sqlx::query("SELECT 1").execute(unused.pool()).await.unwrap();
        sqlx::query("SELECT 1").execute(&*used).await.unwrap();
    }

    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_begun_while_the_clock_stands_still() {
    let mut tx = testenv::begin().await;

    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut *tx).await.unwrap();

    assert_eq!(one, 1);
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_the_tests_own_passes_at_once_beside_a_database() {
    let db = fresh_db().await;
    let (begun, real) = (Instant::now(), std::time::Instant::now());

    #[expect(clippy::disallowed_methods, reason = "the clock stands still: it takes no time")]
    tokio::time::sleep(Duration::from_secs(3600)).await;

    assert!(begun.elapsed() >= Duration::from_secs(3600));
    assert!(real.elapsed() < Duration::from_secs(600));
    sqlx::query("SELECT 1").execute(db.pool()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_redis_is_had_and_used_while_the_clock_stands_still() {
    use redis::AsyncCommands;
    let begun = Instant::now();
    let redis = testenv::fresh_redis().await;
    let mut connection = redis.connection().await;

    for _ in 0..10 {
        let () = connection.incr("visits", 1).await.unwrap();
    }
    let late: Option<(String, String)> = connection.blpop("nobody writes here", 0.2).await.unwrap();

    assert_eq!(connection.get::<_, i64>("visits").await.unwrap(), 10);
    assert_eq!((late, begun.elapsed()), (None, Duration::ZERO));
}

#[tokio::test]
async fn a_clock_that_is_stopped_later_is_no_matter_to_a_redis() {
    use redis::AsyncCommands;
    let redis = testenv::fresh_redis().await;
    let mut connection = redis.connection().await;
    tokio::time::pause();

    let () = connection.set("key", "value").await.unwrap();

    assert_eq!(connection.get::<_, String>("key").await.unwrap(), "value");
}

#[tokio::test(start_paused = true)]
async fn a_topic_is_had_while_the_clock_stands_still() {
    let topic = testenv::fresh_topic().await;

    assert!(topic.name().contains("a_topic_is_had"));
}

#[tokio::test(start_paused = true)]
async fn until_waits_for_a_server_in_real_time() {
    let db = fresh_db().await;
    let begun = sqlx::query("CREATE TABLE begun AS SELECT clock_timestamp() AS at");
    begun.execute(db.pool()).await.unwrap();

    let waited = wait::until(Duration::from_secs(10), "200 ms of the server's", async || {
        let passed = "SELECT clock_timestamp() - at > interval '200 ms' FROM begun";
        match sqlx::query_scalar::<_, bool>(passed).fetch_one(db.pool()).await {
            Ok(true) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });

    waited.await.unwrap();
}

#[test]
fn a_runtime_without_a_timer_is_refused_with_the_cure() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let refused = |asked: std::thread::JoinHandle<()>| {
        let words = asked.join().unwrap_err().downcast::<String>().unwrap();
        assert!(words.contains("to fix: write enable_all()"), "{words}");
    };

    refused(std::thread::spawn(move || drop(runtime.block_on(fresh_db()))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    refused(std::thread::spawn(move || drop(runtime.block_on(testenv::begin()))));
}
