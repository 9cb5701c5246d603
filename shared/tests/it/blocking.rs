//! What is available without a runtime, and what may block.

use std::time::Duration;

use testenv::{Template, blocking};

const LIMIT: Duration = Duration::from_secs(10);

/// The one value of a query, asked by a client that blocks as others do: on a runtime of its own.
fn asked(url: &str, sql: &'static str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(url).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    })
}

fn each_service_gives() {
    let (db, redis) = (blocking::fresh_db(), blocking::fresh_redis());
    let (topic, bucket) = (blocking::fresh_topic(), blocking::fresh_bucket());
    let proxy = blocking::fresh_proxy(redis.url());

    let ask = || asked(db.url(), "SELECT count(*)::text FROM users");
    let users = std::thread::scope(|scope| scope.spawn(ask).join()).unwrap();
    let through = redis::Client::open(proxy.url()).unwrap();
    let mut through = through.get_connection().unwrap();
    let pong: String = redis::cmd("PING").query(&mut through).unwrap();
    blocking::wait(topic.send("sent")).unwrap();
    let read = blocking::wait(topic.read(1, LIMIT)).unwrap();
    let put = bucket.client().put_object().bucket(bucket.name()).key("a");
    blocking::wait(put.body(b"stored".to_vec().into()).send()).unwrap();

    assert_eq!((users.as_str(), pong.as_str(), read[0].text()), ("0", "PONG", "sent"));
}

#[test]
fn each_service_gives_without_a_runtime() {
    each_service_gives();
}

#[tokio::test]
async fn each_service_gives_on_a_thread_of_a_runtime() {
    each_service_gives();
}

/// A task that waits so is on the one thread that serves it.
#[test]
fn a_task_may_wait_too() {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let proxied = || {
            let db = blocking::fresh_db();
            blocking::fresh_proxy(db.url()).url()
        };
        tell.send(blocking::wait(async { tokio::spawn(async move { proxied() }).await })).ok();
    });

    let url = told.recv_timeout(6 * LIMIT).expect("the runtime does not wait for itself");
    assert!(url.unwrap().starts_with("postgres://"));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_clock_stands_still_while_a_call_blocks() {
    let before = tokio::time::Instant::now();

    let db = blocking::fresh_db();
    let users: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(db.pool()).await.unwrap();

    assert_eq!((users, before.elapsed()), (0, Duration::ZERO));
}

#[test]
fn a_pool_is_made_on_the_runtime_that_asks_for_it() {
    let db = blocking::fresh_db();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let name: String = runtime.block_on(async {
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(db.pool()).await.unwrap()
    });

    assert_eq!(name, db.name());
    assert!(format!("{db:?}").contains(":***@127.0.0.1:"), "{db:?}");
}

/// `postgres`, diesel's pools and others start a runtime of their own, which tokio forbids inside
/// another one.
#[test]
fn a_function_that_builds_may_block() {
    let template = Template::build("blocks 1", async |url: String| {
        asked(&url, "SELECT set_config('work_mem', '1MB', false)");
        // Async calls work beside it.
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await?;
        sqlx::raw_sql("CREATE TABLE blocked AS SELECT 'yes' AS word")
            .execute(&mut connection)
            .await?;
        Ok(())
    });

    let db = blocking::wait(template.fresh());

    assert_eq!(asked(db.url(), "SELECT word FROM blocked"), "yes");
}

/// A test shares its database with threads and tasks.
#[test]
fn what_a_test_is_given_can_be_shared_and_shown() {
    fn shared<T: Send + Sync + std::fmt::Debug + 'static>() {}

    shared::<testenv::Db>();
    shared::<testenv::Redis>();
    shared::<testenv::Topic>();
    shared::<testenv::Bucket>();
    shared::<testenv::Proxy>();
}
