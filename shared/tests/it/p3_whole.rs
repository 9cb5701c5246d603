//! P3: a copy has everything that its template has, including the database's own settings and
//! rights.

use testenv::Template;

use crate::given::{Given, ask};
use crate::lab::{Lab, PROMISED};

/// The database's own properties, but for its name and who made it.
const PROPERTIES: &str = "
    SELECT format('%s: %s', CASE r.rolname WHEN current_user THEN 'user' ELSE 'all' END, s.setconfig)
    FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase LEFT JOIN pg_roles AS r ON r.oid = s.setrole
    WHERE d.datname = current_database()
    UNION ALL
    SELECT format('%s %s %s', CASE a.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type, a.is_grantable)
    FROM pg_database AS d CROSS JOIN aclexplode(d.datacl) AS a WHERE d.datname = current_database() AND a.grantee <> d.datdba
    UNION ALL
    SELECT format('%s; limit %s', shobj_description(oid, 'pg_database'), datconnlimit) FROM pg_database WHERE datname = current_database()
    ORDER BY 1";

/// A migration in which everything that belongs to a database is set for the database that it runs in.
fn migration(statements: &[&str]) -> String {
    let each = statements.iter().map(|statement| {
        let (before, after) = statement.split_once("current_database()").unwrap();
        let quoted = after.replace('\'', "''");
        format!("EXECUTE format('{before}%I{quoted}', current_database());")
    });
    format!("CREATE SCHEMA app; DO $$ BEGIN {} END $$;", each.collect::<String>())
}

#[tokio::test]
async fn a_copy_has_the_settings_rights_comment_and_limit_of_its_template() {
    let sql = migration(&[
        "ALTER DATABASE current_database() SET search_path = app, \"odd, name\", public",
        "ALTER DATABASE current_database() SET app.tenant = 'it''s \"one\"'",
        "ALTER DATABASE current_database() SET statement_timeout = '4s'",
        "ALTER ROLE CURRENT_USER IN DATABASE current_database() SET DateStyle = 'ISO, DMY'",
        "GRANT CREATE ON DATABASE current_database() TO pg_monitor WITH GRANT OPTION",
        "REVOKE TEMPORARY ON DATABASE current_database() FROM PUBLIC",
        "COMMENT ON DATABASE current_database() IS 'of the shop: it''s\nold'",
        "ALTER DATABASE current_database() CONNECTION LIMIT 77",
    ]);

    let db = Template::sql(&sql).fresh().await;
    let path: String = sqlx::query_scalar("SHOW search_path").fetch_one(db.pool()).await.unwrap();
    let properties: Vec<String> =
        sqlx::query_scalar(PROPERTIES).fetch_all(db.pool()).await.unwrap();

    assert_eq!(path, r#"app, "odd, name", public"#);
    assert_eq!(
        properties,
        [
            r#"all: {"search_path=app, \"odd, name\", public","app.tenant=it's \"one\"",statement_timeout=4s}"#,
            "of the shop: it's\nold; limit 77",
            "pg_monitor CREATE t",
            "public CONNECT f",
            r#"user: {"DateStyle=ISO, DMY"}"#,
        ]
    );
}

#[tokio::test]
async fn a_copy_of_a_template_that_sets_nothing_is_as_any_new_database() {
    let db = Template::sql("CREATE TABLE nothing_is_set ()").fresh().await;

    let properties: Vec<String> =
        sqlx::query_scalar(PROPERTIES).fetch_all(db.pool()).await.unwrap();

    assert_eq!(properties, ["; limit -1"]);
}

#[tokio::test]
async fn a_copy_of_a_function_that_leaves_its_pool_open_is_whole() {
    let template = Template::build("leaves its pool open", async |url: String| {
        let pool = sqlx::PgPool::connect(&url).await?;
        let sql = migration(&["ALTER DATABASE current_database() SET search_path = app"]);
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await?;
        Box::leak(Box::new(pool));
        Ok(())
    });

    let db = template.fresh().await;
    let path: String = sqlx::query_scalar("SHOW search_path").fetch_one(db.pool()).await.unwrap();

    assert_eq!(path, "app");
}

#[tokio::test]
async fn a_role_without_more_rights_than_it_needs_has_whole_copies_on_a_given_server() {
    let (given, lab) = (Given::start(), Lab::new());
    let alice = given.role("alice").await;
    given.execute("CREATE ROLE shop; GRANT shop TO alice").await;
    let sql = migration(&[
        "ALTER DATABASE current_database() SET search_path = app",
        "ALTER ROLE alice IN DATABASE current_database() SET statement_timeout = '4s'",
        "COMMENT ON DATABASE current_database() IS 'of the shop'",
        "GRANT CREATE ON DATABASE current_database() TO pg_monitor",
        "ALTER DATABASE current_database() OWNER TO shop",
    ]);
    let run = || {
        let mut actor = lab.actor("asked", "pass");
        actor.env("TESTENV_POSTGRES_URL", &alice).env("TEMPLATE_SQL", &sql).spawn().unwrap()
    };

    // The second finds a template that another run built.
    for _ in 0..2 {
        let mut test = run();
        let name = ask(&mut test, "1").replace("had: ", "");
        let url = alice.replace("/postgres", &format!("/{name}"));
        let mut copy = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
        let properties: Vec<String> =
            sqlx::query_scalar(PROPERTIES).fetch_all(&mut copy).await.unwrap();
        let owner = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()";
        let owner: String = sqlx::query_scalar(owner).fetch_one(&mut copy).await.unwrap();

        assert_eq!(owner, "shop");
        assert_eq!(
            properties,
            [
                "all: {search_path=app}",
                "of the shop; limit -1",
                "pg_monitor CREATE f",
                "public CONNECT f",
                "public TEMPORARY f",
                "user: {statement_timeout=4s}",
            ]
        );
        drop(test.stdin.take());
        test.wait().unwrap();
        lab.expect_nothing_left(PROMISED);
    }
    given.end();
}
