//! P4 on a server that others use: what prevents the drop of a database is removed if it is ours.
//! If it is not ours, the harness waits for it.

use std::time::{Duration, SystemTime};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use testenv::wait;

use crate::given::{Given, ask};
use crate::lab::{Lab, PROMISED};

const OURS: &str =
    "SELECT datname::text FROM pg_database WHERE datname LIKE 'test\\_%' ORDER BY datname";

async fn inside(given: &Given, database: &str) -> PgConnection {
    let url = format!("{}/{database}", given.url.rsplit_once('/').unwrap().0);
    PgConnection::connect(&url).await.unwrap()
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
}

/// A run that holds two databases: their names, and what ends it.
fn run(lab: &Lab, url: &str) -> (std::process::Child, Vec<String>) {
    let mut test = lab.actor("asked", "pass").env("TESTENV_POSTGRES_URL", url).spawn().unwrap();
    let names = ask(&mut test, "2").replace("had: ", "");
    (test, names.split(' ').map(str::to_owned).collect())
}

#[tokio::test]
async fn prepared_transactions_and_a_template_mark_keep_no_database_from_being_dropped() {
    let (given, lab) = (Given::start(), Lab::new());
    let (mut test, names) = run(&lab, &given.url);
    let mut one = inside(&given, &names[0]).await;
    execute(&mut one, "BEGIN").await;
    execute(&mut one, "CREATE TABLE half_done ()").await;
    execute(&mut one, "PREPARE TRANSACTION 'it''s half done'").await;
    // And not even sessions are let in any more.
    given.execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", names[0])).await;
    execute(&mut one, &format!("ALTER DATABASE {} IS_TEMPLATE true", names[1])).await;
    // Somebody else's, which is none of ours.
    let mut theirs = given.admin().await;
    execute(&mut theirs, "BEGIN").await;
    execute(&mut theirs, "CREATE TABLE half_done ()").await;
    execute(&mut theirs, "PREPARE TRANSACTION 'theirs'").await;

    drop(test.stdin.take());
    test.wait().unwrap();

    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.column(OURS).await, Vec::<String>::new());
    assert_eq!(given.column("SELECT gid FROM pg_prepared_xacts").await, ["theirs"]);
    given.end();
}

#[tokio::test]
async fn a_subscription_and_the_slot_it_reads_keep_no_database_from_being_dropped() {
    let (given, lab) = (Given::start(), Lab::new());
    let (mut test, names) = run(&lab, &given.url);
    let (mut publisher, mut subscriber) =
        (inside(&given, &names[0]).await, inside(&given, &names[1]).await);
    execute(&mut publisher, "CREATE PUBLICATION p FOR TABLE users").await;
    execute(&mut publisher, "SELECT pg_create_logical_replication_slot('s', 'pgoutput')").await;
    // As the server itself reaches it, from inside of its container too.
    let port = given.column("SELECT current_setting('port')").await;
    let subscribe = format!(
        "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port={} dbname={} user=postgres password=''open sesame''' PUBLICATION p WITH (create_slot = false)",
        port[0], names[0]
    );
    execute(&mut subscriber, &subscribe).await;
    wait::until(PROMISED, "a slot that is read", async || {
        let active = given.column("SELECT slot_name::text FROM pg_replication_slots WHERE active");
        if active.await == ["s"] { Ok(()) } else { Err("none") }
    })
    .await
    .unwrap();

    drop(test.stdin.take());
    test.wait().unwrap();

    // PostgreSQL lets a reader that was ended come back every 5 s.
    lab.expect_nothing_left(2 * PROMISED);
    assert_eq!(given.column(OURS).await, Vec::<String>::new());
    let slots = "SELECT slot_name::text FROM pg_replication_slots UNION ALL SELECT subname::text FROM pg_subscription";
    assert_eq!(given.column(slots).await, Vec::<String>::new());
    given.end();
}

#[tokio::test]
async fn a_database_that_the_server_refuses_to_drop_is_never_forgotten() {
    let (given, lab) = (Given::start(), Lab::new());
    let (mut test, names) = run(&lab, &given.role("alice").await);
    // Whoever is no superuser may not end a superuser's session.
    let admin = inside(&given, &names[0]).await;
    drop(test.stdin.take());
    test.wait().unwrap();
    let log = refusal(&lab);
    assert!(log.contains(&format!("postgres {}: ", names[0])), "{log}");
    assert!(log.contains("in its way: the session ") && log.contains(" of postgres"), "{log}");

    age(&lab);
    sweep(&lab).await;
    assert_eq!(given.column(OURS).await, [names[0].clone()]);
    assert!(!notes(&lab).is_empty(), "it is still noted");
    admin.close().await.unwrap();
    sweep(&lab).await;

    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.column(OURS).await, Vec::<String>::new());
    given.end();
}

/// A role belongs to the server, so it outlives the database for which a test made it, and names it.
#[tokio::test]
async fn a_role_that_is_named_after_a_database_goes_with_it_and_no_other_does() {
    let (given, lab) = (Given::start(), Lab::new());
    let (mut test, names) = run(&lab, &given.url);
    let named = [format!("reader_of_{}", names[0]), format!("{}_owner", names[1])];
    let others = ["reader".to_owned(), format!("{}5555", names[0])];
    for role in named.iter().chain(&others) {
        given.execute(&format!("CREATE ROLE {role}")).await;
    }
    let mut one = inside(&given, &names[0]).await;
    execute(&mut one, &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", named[0]))
        .await;
    one.close().await.unwrap();

    drop(test.stdin.take());
    test.wait().unwrap();

    lab.expect_nothing_left(PROMISED);
    let roles = "SELECT rolname::text FROM pg_roles WHERE NOT rolsuper AND rolname !~ '^pg_' ORDER BY rolname";
    assert_eq!(given.column(roles).await, others);
    given.end();
}

/// What looks like the database of a failed test may be somebody's: the name and the role that made it tell, and a superuser is not asked.
#[tokio::test]
pub(crate) async fn of_databases_that_are_marked_as_failed_only_this_roles_are_swept_with_their_roles()
 {
    let (given, lab) = (Given::start(), Lab::new());
    given.role("alice").await;
    let databases = ["books", "test_0123456789abcdef_1_1", "test_0123456789abcdef_1_2"];
    for database in databases {
        given.execute(&format!("CREATE DATABASE {database}")).await;
        given.execute(&format!("COMMENT ON DATABASE {database} IS 'testenv failed 1'")).await;
    }
    given.execute(&format!("ALTER DATABASE {} OWNER TO alice", databases[1])).await;
    given.execute(&format!("CREATE ROLE reader_of_{}", databases[2])).await;

    let mut test = lab.actor("postgres", "pass");
    let status = test.env("TESTENV_POSTGRES_URL", &given.url).status().unwrap();

    assert!(status.success());
    lab.expect_nothing_left(PROMISED);
    let left =
        "SELECT datname::text FROM pg_database WHERE datname ~ '^(books|test_)' ORDER BY datname";
    assert_eq!(given.column(left).await, databases[..2]);
    let readers = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'reader%'";
    assert_eq!(given.column(readers).await, Vec::<String>::new());
    given.end();
}

/// What the reapers of a lab say that they did not remove.
fn refusal(lab: &Lab) -> String {
    wait::until_blocking(PROMISED, "what is not removed", || {
        let logs = files(lab, "reaper.log");
        let said: String = logs.iter().flat_map(std::fs::read_to_string).collect();
        if said.contains("not removed") { Ok(said) } else { Err(said) }
    })
    .unwrap()
}

/// Another run, which sweeps, until its own directory is gone, and the sweep's reaper.
async fn sweep(lab: &Lab) {
    assert!(lab.actor("nothing", "pass").status().unwrap().success());
    wait::until(PROMISED, "the end of the sweep", async || {
        let processes = lab.processes();
        if processes.is_empty() { Ok(()) } else { Err(processes.join(", ")) }
    })
    .await
    .unwrap();
}

/// Everything that is noted was noted three days ago.
fn age(lab: &Lab) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the age of a file is told by the system's clock"
    )]
    let then = SystemTime::now() - Duration::from_hours(72);
    for note in notes(lab) {
        std::fs::File::options().write(true).open(note).unwrap().set_modified(then).unwrap();
    }
}

fn notes(lab: &Lab) -> Vec<std::path::PathBuf> {
    files(lab, "postgres.test_*")
}

fn files(lab: &Lab, name: &str) -> Vec<std::path::PathBuf> {
    let found = std::process::Command::new("find").arg(lab.base()).args(["-name", name]).output();
    String::from_utf8(found.unwrap().stdout).unwrap().lines().map(Into::into).collect()
}
