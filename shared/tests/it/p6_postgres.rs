//! P6 for PostgreSQL: a failed test prints the next command to type, and what this command opens is
//! there.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::lab::{self, Lab, PROMISED};

#[tokio::test]
pub(crate) async fn on_a_given_server_the_database_of_a_failed_test_stays_for_an_hour() {
    let (theirs, ours) = (Lab::new(), Lab::new());
    let mut owner = theirs.actor("given postgres", "wait").spawn().unwrap();
    let url = lab::line(&mut owner);
    let run = |end: &str| {
        let mut actor = ours.actor("postgres", end);
        actor.env("TESTENV_POSTGRES_URL", &url).stderr(std::process::Stdio::piped());
        let said = String::from_utf8(actor.output().unwrap().stderr).unwrap();
        ours.expect_nothing_left(PROMISED);
        said
    };
    let mut admin = PgConnection::connect(&url).await.unwrap();

    let said = run("panic");
    let left = left(&mut admin).await;
    let listed = run("pass");
    let database = format!("{}/{}", url.rsplit_once('/').unwrap().0, left[0]);
    let mut failed = PgConnection::connect(&database).await.unwrap();
    let ada: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut failed).await.unwrap();
    failed.close().await.unwrap();
    an_hour_passes(&mut admin, &left[0]).await;
    let swept = run("pass");

    let open = database.replace(":open%20sesame", "");
    assert!(said.contains(&format!("look at it: psql '{open}'")), "{open} in: {said}");
    assert!(!said.contains("sesame"), "{said}");
    assert_eq!((left.len(), ada), (1, 1));
    assert!(listed.contains(&left[0]) && !swept.contains(&left[0]), "{listed}{swept}");
    assert_eq!(self::left(&mut admin).await, Vec::<String>::new());
    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}

async fn left(admin: &mut PgConnection) -> Vec<String> {
    let names = sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'");
    names.fetch_all(admin).await.unwrap()
}

/// The mark's second is put an hour back.
async fn an_hour_passes(admin: &mut PgConnection, name: &str) {
    let mark: String = sqlx::query_scalar(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1",
    )
    .bind(name)
    .fetch_one(&mut *admin)
    .await
    .unwrap();
    let (words, second) = mark.rsplit_once(' ').unwrap();
    let before = second.parse::<i64>().unwrap() - 3601;
    let sql = format!("COMMENT ON DATABASE \"{name}\" IS '{words} {before}'");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(admin).await.unwrap();
}
