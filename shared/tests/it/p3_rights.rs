//! P3: in a test, rights and row security work as they do for an application that owns its schema.

use std::process::Stdio;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, PgPool, Row};
use testenv::{Template, wait};

use crate::given::Given;
use crate::lab::Lab;

/// What PostgreSQL says when the role may not do something.
const NO_RIGHT: &str = "42501";

/// The error's code for whoever tries these statements, if there is one.
async fn refused(pool: &PgPool, sql: &str) -> Option<String> {
    let done = pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await;
    done.err().map(|error| match error.as_database_error().and_then(|error| error.code()) {
        Some(code) => code.into_owned(),
        None => error.to_string(),
    })
}

async fn one(pool: &PgPool, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_test_owns_its_database_and_is_no_superuser() {
    let db = testenv::fresh_db().await;
    let mut tx = testenv::begin().await;

    let about = "SELECT format('superuser %s, owner %s', rolsuper, (SELECT datdba = r.oid FROM pg_database WHERE datname = current_database()))
        FROM pg_roles AS r WHERE rolname = current_user";
    assert_eq!(one(&db, about).await, "superuser f, owner t");
    let shared: String = sqlx::query(about).fetch_one(&mut *tx).await.unwrap().get(0);
    assert_eq!(shared, "superuser f, owner t");

    let own = "ALTER TABLE users ADD COLUMN shoe_size int; CREATE SCHEMA more; TRUNCATE users CASCADE; CREATE EXTENSION citext;
        DROP TABLE orders CASCADE; ALTER DATABASE current SET work_mem = '5MB'"
        .replace("current", &format!("\"{}\"", db.name()));
    assert_eq!(refused(&db, &own).await, None);
    for privileged in [
        "CREATE ROLE anybody",
        "CREATE DATABASE another",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY users TO PROGRAM 'true'",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "SET session_replication_role = replica",
    ] {
        assert_eq!(refused(&db, privileged).await.as_deref(), Some(NO_RIGHT), "{privileged}");
    }
}

#[tokio::test]
async fn row_security_hides_rows_from_a_test_as_from_an_application() {
    let db = Template::sql(
        "CREATE TABLE notes (tenant text, body text);
         ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE notes FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON notes TO CURRENT_USER USING (tenant = current_setting('app.tenant', true));
         INSERT INTO notes VALUES ('a', 'of a'), ('b', 'of b')",
    )
    .fresh()
    .await;

    let mut connection = db.acquire().await.unwrap();
    connection.execute("SET app.tenant = 'b'").await.unwrap();
    let seen: Vec<String> =
        sqlx::query_scalar("SELECT body FROM notes").fetch_all(&mut *connection).await.unwrap();

    assert_eq!(seen, ["of b"]);
    assert_eq!(
        one(db.superuser(), "SELECT string_agg(body, ', ' ORDER BY body) FROM notes").await,
        "of a, of b"
    );
}

/// A template may need a superuser, and its tests use what that one made.
#[tokio::test]
async fn what_only_a_superuser_may_make_a_template_has() {
    let db = Template::sql(
        "CREATE EXTENSION postgres_fdw;
         CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw;
         CREATE TABLE log (what text);
         CREATE FUNCTION logs() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (tg_tag); END $$;
         CREATE EVENT TRIGGER logs ON ddl_command_end EXECUTE FUNCTION logs();
         CREATE PUBLICATION everything FOR ALL TABLES;
         CREATE FUNCTION at_home() RETURNS int LANGUAGE sql LEAKPROOF IMMUTABLE AS 'SELECT 1';
         REVOKE EXECUTE ON FUNCTION at_home() FROM PUBLIC;
         ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO pg_monitor;
         SELECT lo_create(4711)",
    )
    .fresh()
    .await;

    let uses = "CREATE TABLE fresh (); CREATE USER MAPPING FOR CURRENT_USER SERVER other; SELECT at_home(); SELECT lo_unlink(4711);
        ALTER TABLE log ADD COLUMN at timestamptz; DROP SERVER other CASCADE";
    assert_eq!(refused(&db, uses).await, None);

    assert_eq!(
        one(&db, "SELECT min(what) FROM log WHERE what LIKE 'CREATE TABLE%'").await,
        "CREATE TABLE"
    );
    let reads = "SELECT has_table_privilege('pg_monitor', 'fresh', 'SELECT')::text";
    assert_eq!(one(&db, reads).await, "true");
    assert_eq!(
        one(&db, "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user").await,
        "false"
    );
}

#[tokio::test]
async fn a_function_that_builds_is_a_superuser_and_owns_what_it_makes() {
    let template = Template::build("rights 1", async |url| {
        let pool = PgPool::connect(&url).await?;
        pool.execute("CREATE TABLE built (); CREATE EXTENSION file_fdw").await?;
        assert_eq!(one(&pool, "SHOW is_superuser").await, "on");
        Ok(())
    });

    let db = template.fresh().await;

    let client = PgPool::connect(db.url()).await.unwrap();
    assert_eq!(refused(&client, "ALTER TABLE built ADD COLUMN more int").await, None);
    assert_eq!(one(&client, "SHOW is_superuser").await, "off");
    client.close().await;
}

/// The owner may be a role without a password, or one that may not log in.
#[tokio::test]
async fn a_migration_may_give_the_database_to_another_role() {
    let db = Template::sql(
        "CREATE ROLE rights_owner NOLOGIN; CREATE TABLE given ();
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO rights_owner', current_database()); END $$",
    )
    .fresh()
    .await;

    let owner =
        "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()";
    assert_eq!(one(&db, owner).await, "rights_owner");
    assert_eq!(refused(&db, "ALTER TABLE given ADD COLUMN more int").await, None);
}

/// A build that fails leaves no superuser that could be logged in as.
#[tokio::test]
async fn the_role_of_a_template_that_was_not_built_is_no_superuser() {
    let broken = Template::sql("SELECT 'rights, broken'; SELECT no_such_column");
    let panics = Template::build("rights, panics", async |_| panic!("as told"));
    let failed = tokio::spawn(async move { drop(broken.fresh().await) }).await;
    let panicked = tokio::spawn(async move { drop(panics.fresh().await) }).await;

    let db = testenv::fresh_db().await;
    assert!(failed.unwrap_err().is_panic() && panicked.unwrap_err().is_panic());
    // Another test may be building at this moment.
    wait::until(Duration::from_secs(20), "the end of all builds", async || {
        let supers = "SELECT string_agg(rolname, ', ') FROM pg_roles WHERE rolsuper AND rolname <> 'postgres'";
        match sqlx::query_scalar::<_, Option<String>>(supers).fetch_one(db.superuser()).await.unwrap() {
            None => Ok(()),
            Some(supers) => Err(supers),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_superuser_is_one_word_away() {
    let db = testenv::fresh_db().await;
    let role = format!("{}_reader", db.name());

    let sql = format!(
        "CREATE ROLE {role}; GRANT SELECT ON users TO {role}; SET ROLE {role}; SELECT count(*) FROM users"
    );
    assert_eq!(refused(db.superuser(), &sql).await, None);

    assert_eq!(one(db.superuser(), "SELECT current_database()::text").await, db.name());
}

#[tokio::test]
async fn on_an_external_server_a_test_has_the_role_of_the_url() {
    let (given, lab) = (Given::start(), Lab::new());
    for (url, word) in
        [(given.url.clone(), "postgres on"), (given.role("alice").await, "alice off")]
    {
        let test = lab.actor("role", "pass").env("TESTENV_POSTGRES_URL", &url).output().unwrap();
        let said = String::from_utf8_lossy(&test.stdout);
        assert!(said.contains(&format!("role: {word}")), "{said}");
    }

    let url = given.role("bob").await;
    let mut test = lab.actor("superuser", "pass");
    let test = test.env("TESTENV_POSTGRES_URL", url).stderr(Stdio::piped()).output().unwrap();

    let said = String::from_utf8_lossy(&test.stderr);
    let line = "a test asks for a superuser, which the user of TESTENV_POSTGRES_URL is not";
    assert!(test.status.success() && said.contains(line), "{said}");
    given.end();
}
