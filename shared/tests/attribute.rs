//! `#[testenv::test]`: what it gives, and how its tests end.

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use testenv::argument::{Argument, Wanted};
use testenv::{Bucket, Db, Redis, Template, Topic};

/// The workspace's.
static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

async fn one(pool: &PgPool, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

const TABLES: &str = "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'";
const NAMES: &str = "SELECT string_agg(name, ' ' ORDER BY name) FROM users";

#[testenv::test]
async fn each_service_gives_what_an_argument_asks_for(
    db: Db,
    redis: Redis,
    mut connection: redis::aio::MultiplexedConnection,
    topic: Topic,
    bucket: Bucket,
) {
    let pong: String = redis::cmd("PING").query_async(&mut connection).await.unwrap();
    topic.send("sent").await.unwrap();
    bucket.client().head_bucket().bucket(bucket.name()).send().await.unwrap();

    // This package has no folder `migrations`.
    assert_eq!((one(&db, TABLES).await.as_str(), pong.as_str()), ("0", "PONG"));
    assert!(redis.url().starts_with("redis://"));
}

#[testenv::test(migrations = false)]
async fn each_argument_is_one_more(one: Db, other: Db, mut third: PoolConnection<Postgres>) {
    let name = "SELECT current_database()::text";
    let third: String = sqlx::query_scalar(name).fetch_one(&mut *third).await.unwrap();

    let names = std::collections::BTreeSet::from([one.name(), other.name(), &third]);
    assert_eq!(names.len(), 3);
}

#[testenv::test(migrations = "../migrations", fixtures("users", "fixtures/more.sql"))]
async fn a_folder_and_fixtures_are_in_the_database(pool: PgPool) -> sqlx::Result<()> {
    let names: String = sqlx::query_scalar(NAMES).fetch_one(&pool).await?;

    assert_eq!(names, "Ada Grace");
    Ok(())
}

#[testenv::test(migrator = MIGRATOR, fixtures(path = "fixtures", scripts("users")))]
async fn a_migrator_of_sqlx_is_taken(pool: PgPool) {
    assert_eq!(one(&pool, NAMES).await, "Ada");
    assert_eq!(one(&pool, "SELECT (count(*) > 0)::text FROM _sqlx_migrations").await, "true");
}

fn rooms() -> Template {
    Template::sql("CREATE TABLE rooms (name TEXT)")
}

#[testenv::test(template = rooms())]
async fn any_template_is_taken(pool: PgPool) {
    assert_eq!(one(&pool, TABLES).await, "1");
}

#[testenv::test(template = rooms())]
fn a_function_that_is_not_async_needs_no_runtime(db: Db) -> Result<(), String> {
    assert!(tokio::runtime::Handle::try_current().is_err());
    if db.url().starts_with("postgres://") { Ok(()) } else { Err(db.url().to_owned()) }
}

#[testenv::test(start_paused = true)]
async fn an_option_of_the_runtime_is_passed_on(db: Db) {
    let before = tokio::time::Instant::now();

    one(&db, TABLES).await;

    assert_eq!(before.elapsed(), std::time::Duration::ZERO);
}

/// A program under test, with what it needs.
struct Shop {
    url: String,
}

impl Argument for Shop {
    type Guard = Db;

    async fn give(wanted: &Wanted) -> (Shop, Db) {
        let db = wanted.db().await;
        (Shop { url: db.url().to_owned() }, db)
    }
}

#[testenv::test(migrations = "../migrations", fixtures("users"))]
async fn a_type_of_a_projects_own_is_an_argument(shop: Shop) {
    let pool = PgPool::connect(&shop.url).await.unwrap();

    assert_eq!(one(&pool, NAMES).await, "Ada");
    pool.close().await;
}

#[testenv::test]
#[should_panic(expected = "fixtures/wrong.sql failed")]
async fn a_fixture_that_fails_is_named(_db: Wrong) {}

/// The types alone do not say whether there will be a database.
#[testenv::test(fixtures("users"))]
#[should_panic(expected = "no argument asks for one: add `db: Db`")]
async fn fixtures_without_a_database_are_not_forgotten(_redis: Redis) {}

struct Wrong;

impl Argument for Wrong {
    type Guard = Db;

    async fn give(_: &Wanted) -> (Wrong, Db) {
        let wanted = Wanted::new(env!("CARGO_MANIFEST_DIR"));
        (Wrong, wanted.with("fixtures/wrong.sql", "SELECT no_such_column").db().await)
    }
}
