//! What a database of a test's own costs, beside what a user would write instead; all on one server, in one run.
//!
//! `cargo bench --profile dev -p shared --features postgres,integration --bench postgres`: the profile that tests run in.

#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqlSafeStr};
use testenv::Template;

const SAMPLES: usize = 60;
/// Thirty tests a second.
const PAUSE: Duration = Duration::from_millis(33);

fn main() {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!("profile {profile}, {SAMPLES} samples each, milliseconds");
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        for count in [2, 50] {
            measure(count).await;
        }
    });
}

async fn measure(count: usize) {
    let migrator: &'static Migrator = Box::leak(Box::new(migrations(count)));
    let template = Template::migrations(migrator);
    let mut db = template.fresh().await;
    let admin_url = db.url().replace(db.name(), "postgres");
    let options: PgConnectOptions = admin_url.parse().unwrap();
    let options = options.log_statements(log::LevelFilter::Off);
    let mut admin = options.connect().await.unwrap();
    db = template.fresh().await;
    drop(db);

    let mut drops = Vec::new();
    let mut ours = Vec::new();
    for _ in 0..SAMPLES {
        std::thread::park_timeout(PAUSE);
        let start = Instant::now();
        let db = template.fresh().await;
        one(db.pool()).await;
        ours.push(start.elapsed());
        let start = Instant::now();
        drop(db);
        drops.push(start.elapsed());
    }

    bare_template(&mut admin, &options, migrator).await;
    let bare = sample(async |i| {
        let name = format!("bare_{i}");
        fork(&mut admin, &name, "bare_tpl").await;
        let pool = PgPoolOptions::new().connect_lazy_with(options.clone().database(&name));
        one(&pool).await;
        pool.close().await;
        execute(&mut admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    })
    .await;
    let migrate = sample(async |i| {
        let name = format!("migrated_{i}");
        execute(&mut admin, format!("CREATE DATABASE {name}")).await;
        let pool =
            PgPoolOptions::new().connect_with(options.clone().database(&name)).await.unwrap();
        migrator.run(&pool).await.unwrap();
        one(&pool).await;
        pool.close().await;
        execute(&mut admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    })
    .await;
    let sqlx_test = sqlx_test(&admin_url, migrator).await;

    report(
        &format!("fresh_db to first answer, {count} migrations: p50"),
        p(&ours, 50),
        &[
            ("bare fork", p(&bare, 50)),
            ("create + migrate", p(&migrate, 50)),
            ("#[sqlx::test]", p(&sqlx_test, 50)),
        ],
        5.0,
    );
    report(
        &format!("fresh_db to first answer, {count} migrations: p95"),
        p(&ours, 95),
        &[
            ("bare fork", p(&bare, 95)),
            ("create + migrate", p(&migrate, 95)),
            ("#[sqlx::test]", p(&sqlx_test, 95)),
        ],
        15.0,
    );
    report(
        &format!("drop, {count} migrations: p99"),
        p(&drops, 99),
        &[("pool.close + DROP DATABASE (bare fork)", p(&bare, 99))],
        1.0,
    );

    let burst = burst(&template).await;
    let pair = p(&bare_pair(&mut admin).await, 50);
    let ratio = burst / pair;
    println!(
        "eight at once, {count} migrations, per database: ours {burst:.1}, bare create + drop {pair:.1}, ratio {ratio:.2}, goal 1.30: {}",
        met(ratio <= 1.3)
    );
    execute(&mut admin, "DROP DATABASE bare_tpl".into()).await;
}

/// Eight tests that begin at once, again and again: the time for each database.
async fn burst(template: &Template) -> f64 {
    const ROUNDS: usize = 8;
    let start = Instant::now();
    let test = async || {
        let db = template.fresh().await;
        one(db.pool()).await;
    };
    for _ in 0..ROUNDS {
        tokio::join!(test(), test(), test(), test(), test(), test(), test(), test());
    }
    start.elapsed().as_secs_f64() * 1000.0 / (ROUNDS * 8) as f64
}

async fn bare_pair(admin: &mut PgConnection) -> Vec<Duration> {
    sample(async |i| {
        let name = format!("pair_{i}");
        fork(admin, &name, "bare_tpl").await;
        execute(admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    })
    .await
}

/// What the macro does around a test, through the same functions of the library.
async fn sqlx_test(url: &str, migrator: &'static Migrator) -> Vec<Duration> {
    use sqlx::testing::{TestArgs, TestFn};
    // The macro reads the server's address from the environment, and so does `cargo test`; no other thread runs here.
    #[expect(unsafe_code, reason = "the benchmark has one thread at this point")]
    unsafe {
        std::env::set_var("DATABASE_URL", url);
    }
    let mut samples = Vec::new();
    for _ in 0..SAMPLES.min(20) {
        let args =
            TestArgs { migrator: Some(migrator), test_path: "bench::sqlx_test", fixtures: &[] };
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let test: fn(sqlx::PgPool) -> _ = one_of;
                test.run_test(args);
            });
        });
        samples.push(start.elapsed());
    }
    samples
}

async fn one_of(pool: sqlx::PgPool) {
    one(&pool).await;
}

async fn bare_template(admin: &mut PgConnection, options: &PgConnectOptions, migrator: &Migrator) {
    execute(admin, "DROP DATABASE IF EXISTS bare_tpl".into()).await;
    execute(admin, "CREATE DATABASE bare_tpl".into()).await;
    let mut connection = options.clone().database("bare_tpl").connect().await.unwrap();
    migrator.run_direct(None, &mut connection, false).await.unwrap();
    connection.close().await.unwrap();
}

async fn fork(admin: &mut PgConnection, name: &str, template: &str) {
    execute(admin, format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")).await;
}

async fn execute(admin: &mut PgConnection, sql: String) {
    admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
}

async fn one(pool: &sqlx::PgPool) {
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(pool).await.unwrap();
    assert_eq!(one, 1);
}

async fn sample(mut work: impl AsyncFnMut(usize)) -> Vec<Duration> {
    let mut samples = Vec::new();
    for i in 0..SAMPLES.min(30) {
        let start = Instant::now();
        work(i).await;
        samples.push(start.elapsed());
    }
    samples
}

/// The workspace's own, and as many more as it takes.
fn migrations(count: usize) -> Migrator {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .collect();
    files.sort();
    let own = files.iter().take(2).map(|path| std::fs::read_to_string(path).unwrap());
    let more = (0..).map(|i| format!("CREATE TABLE extra_{i} (id BIGINT PRIMARY KEY, note TEXT); CREATE INDEX ON extra_{i} (note);"));
    let sql = own.chain(more).take(count);
    Migrator::with_migrations(
        sql.enumerate()
            .map(|(i, sql)| {
                Migration::new(
                    i as i64 + 1,
                    format!("m{i}").into(),
                    sqlx::migrate::MigrationType::Simple,
                    AssertSqlSafe(sql).into_sql_str(),
                    false,
                )
            })
            .collect(),
    )
}

fn p(samples: &[Duration], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort();
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)].as_secs_f64() * 1000.0
}

fn report(name: &str, ours: f64, others: &[(&str, f64)], goal: f64) {
    for (other, theirs) in others {
        println!(
            "{name}: ours {ours:.1}, {other} {theirs:.1}, ratio {:.1}, goal {goal}: {}",
            theirs / ours,
            met(ours <= goal)
        );
    }
}

fn met(yes: bool) -> &'static str {
    if yes { "met" } else { "short" }
}
