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

const SAMPLES: usize = 100;
/// Of what takes longer.
const OTHERS: usize = 30;
/// Thirty tests a second.
const PAUSE: Duration = Duration::from_millis(33);

/// Set in the process that measures it.
const SQLX_TEST: &str = "BENCH_SQLX_TEST";

fn main() {
    if std::env::var_os(SQLX_TEST).is_some() {
        return print_sqlx_test();
    }
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    println!(
        "profile {profile}, {} samples of ours, {} of the others, milliseconds",
        times(SAMPLES),
        times(OTHERS)
    );
    for count in [2, 50] {
        let migrator: &'static Migrator = Box::leak(Box::new(migrations(count)));
        let template = Template::migrations(migrator);
        // The first one waits for the server, the template and the copies.
        runtime().block_on(async { one(template.fresh().await.pool()).await });
        let (ours, drops) = tests(&template);
        runtime().block_on(measure(count, migrator, &template, &ours, &drops));
    }
}

/// How many times something is measured: often under `cargo bench`, once under `cargo test --benches`, which only
/// shows that the benchmark works.
fn times(often: usize) -> usize {
    if std::env::args().any(|argument| argument == "--bench") { often } else { 1 }
}

/// What `#[tokio::test]` gives each test; with its end, the connections of the test end.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// As many tests, one after the other: how long each waited for its first answer, and for its end.
fn tests(template: &Template) -> (Vec<Duration>, Vec<Duration>) {
    let test = |_| {
        std::thread::park_timeout(PAUSE);
        runtime().block_on(async {
            let start = Instant::now();
            let db = template.fresh().await;
            one(db.pool()).await;
            let answered = start.elapsed();
            let start = Instant::now();
            drop(db);
            (answered, start.elapsed())
        })
    };
    (0..times(SAMPLES)).map(test).unzip()
}

async fn measure(
    count: usize,
    migrator: &'static Migrator,
    template: &Template,
    ours: &[Duration],
    drops: &[Duration],
) {
    let db = template.fresh().await;
    let admin_url = db.superuser_url().replace(db.name(), "postgres");
    let options: PgConnectOptions = admin_url.parse().unwrap();
    let options = options.disable_statement_logging();
    let mut admin = options.clone().database("postgres").connect().await.unwrap();

    let floor = sample(async |_| {
        std::thread::park_timeout(PAUSE);
        let start = Instant::now();
        one(&PgPoolOptions::new().connect_lazy_with(options.clone())).await;
        start.elapsed()
    })
    .await;
    bare_template(&mut admin, &options, migrator).await;
    let bare = sample(async |i| {
        let start = Instant::now();
        let name = format!("bare_{i}");
        fork(&mut admin, &name, "bare_tpl").await;
        let pool = PgPoolOptions::new().connect_lazy_with(options.clone().database(&name));
        one(&pool).await;
        pool.close().await;
        execute(&mut admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        start.elapsed()
    })
    .await;
    let migrate = sample(async |i| {
        let start = Instant::now();
        let name = format!("migrated_{i}");
        execute(&mut admin, format!("CREATE DATABASE {name}")).await;
        let pool =
            PgPoolOptions::new().connect_with(options.clone().database(&name)).await.unwrap();
        migrator.run(&pool).await.unwrap();
        one(&pool).await;
        pool.close().await;
        execute(&mut admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        start.elapsed()
    })
    .await;
    let sqlx = sqlx_test(&admin_url, count);
    let sqlx_scram = sqlx_test(&by_scram(&mut admin, &admin_url).await, count);

    report(
        &format!("fresh_db to first answer, {count} migrations: p50"),
        p(ours, 50),
        &[
            ("bare fork", p(&bare, 50)),
            ("create + migrate", p(&migrate, 50)),
            ("#[sqlx::test]", p(&sqlx, 50)),
            ("a connection and an answer, nothing else", p(&floor, 50)),
        ],
        5.0,
    );
    let ratio = p(&sqlx_scram, 50) / p(ours, 50);
    println!(
        "fresh_db to first answer, {count} migrations: p50: ours {:.1}, #[sqlx::test] by the server's usual login {:.1}, ratio {ratio:.1}, goal 30: {}",
        p(ours, 50),
        p(&sqlx_scram, 50),
        met(ratio >= 30.0)
    );
    report(
        &format!("fresh_db to first answer, {count} migrations: p95"),
        p(ours, 95),
        &[
            ("bare fork", p(&bare, 95)),
            ("create + migrate", p(&migrate, 95)),
            ("#[sqlx::test]", p(&sqlx, 95)),
            ("a connection and an answer, nothing else", p(&floor, 95)),
        ],
        15.0,
    );
    report(
        &format!("drop, {count} migrations: p99"),
        p(drops, 99),
        &[("pool.close + DROP DATABASE (bare fork)", p(&bare, 99))],
        1.0,
    );

    let burst = burst(template).await;
    let pair = p(&bare_pair(&mut admin).await, 50);
    let ratio = burst / pair;
    println!(
        "eight at once, {count} migrations, per database: ours {burst:.1}, bare create + drop {pair:.1}, ratio {ratio:.2}, goal 0.75: {}",
        met(ratio <= 0.75)
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
    let rounds = times(ROUNDS);
    for _ in 0..rounds {
        tokio::join!(test(), test(), test(), test(), test(), test(), test(), test());
    }
    start.elapsed().as_secs_f64() * 1000.0 / (rounds * 8) as f64
}

async fn bare_pair(admin: &mut PgConnection) -> Vec<Duration> {
    sample(async |i| {
        let start = Instant::now();
        let name = format!("pair_{i}");
        fork(admin, &name, "bare_tpl").await;
        execute(admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        start.elapsed()
    })
    .await
}

/// What the macro does around a test, through the same functions of the library. They keep the first server's address, so each has a process of its own.
fn sqlx_test(url: &str, count: usize) -> Vec<Duration> {
    let me = std::env::current_exe().unwrap();
    let output = std::process::Command::new(me)
        .args([count, times(OTHERS)].map(|number| number.to_string()))
        .env("DATABASE_URL", url)
        .env(SQLX_TEST, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let micros = String::from_utf8(output.stdout).unwrap();
    micros.lines().map(|line| Duration::from_micros(line.parse().unwrap())).collect()
}

fn print_sqlx_test() {
    use sqlx::testing::{TestArgs, TestFn};
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<usize>().unwrap());
    let (count, times) = (numbers.next().unwrap(), numbers.next().unwrap());
    let migrator: &'static Migrator = Box::leak(Box::new(migrations(count)));
    for _ in 0..times {
        let args =
            TestArgs { migrator: Some(migrator), test_path: "bench::sqlx_test", fixtures: &[] };
        let start = Instant::now();
        let test: fn(sqlx::PgPool) -> _ = one_of;
        test.run_test(args);
        println!("{}", start.elapsed().as_micros());
    }
}

/// The address for a user whose password is stored as a server with default settings stores it: a login takes SCRAM's 4096 rounds, as it does for most.
async fn by_scram(admin: &mut PgConnection, url: &str) -> String {
    let sql = "SET password_encryption = 'scram-sha-256'; DROP ROLE IF EXISTS usual; CREATE ROLE usual SUPERUSER LOGIN PASSWORD 'usual'";
    execute(admin, sql.into()).await;
    let address = url.split_once('@').unwrap().1;
    format!("postgres://usual:usual@{address}")
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

async fn sample(mut work: impl AsyncFnMut(usize) -> Duration) -> Vec<Duration> {
    let mut samples = Vec::new();
    for i in 0..times(OTHERS) {
        samples.push(work(i).await);
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
