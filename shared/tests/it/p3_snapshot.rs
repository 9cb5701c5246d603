//! P3 for snapshots: a restored database equals the dumped one, and a fork of it is private.

use std::path::PathBuf;

use sqlx::PgPool;
use tempfile::TempDir;
use testenv::{Db, Template, snapshot};

/// Values that a dump has to quote, and everything that is not a row: defaults, a sequence, constraints, an index, a view, a function.
const SHOP: &str = r#"
    CREATE TABLE rooms (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INT CHECK (size > 0) DEFAULT 7);
    CREATE TABLE "Odd things" (room BIGINT REFERENCES rooms, said TEXT, bytes BYTEA, many TEXT[], at TIMESTAMPTZ, "of" JSONB, ratio DOUBLE PRECISION);
    CREATE INDEX odd_by_room ON "Odd things" (room);
    CREATE VIEW big AS SELECT name FROM rooms WHERE size > 10;
    CREATE FUNCTION twice(n INT) RETURNS INT LANGUAGE plpgsql AS $f$ BEGIN RETURN 2 * n; END $f$;
    INSERT INTO rooms (name, size) VALUES ('attic', 12), ('cellar', 3), ('it''s a \ back\slash', NULL);
    INSERT INTO "Odd things" VALUES
        (1, E'two\nlines; -- no remark\n\\unrestrict x\n$f$', '\x00ff27', ARRAY['a,b', NULL, '"'], '2026-11-23 09:00:00.123456+02', '{"k": "Žižek 猫"}', 0.1),
        (NULL, NULL, NULL, NULL, NULL, NULL, 'NaN');
"#;

#[tokio::test]
async fn a_restored_database_dumps_to_the_same_file() {
    let files = Files::new();
    let original = Template::sql(SHOP).fresh().await;
    snapshot::dump(&original, files.path("one.sql")).await.unwrap();

    let restored = Template::snapshot(files.path("one.sql")).fresh().await;
    snapshot::dump(&restored, files.path("other.sql")).await.unwrap();

    let text = files.read("one.sql");
    assert!(text.contains("Žižek 猫"), "{text}");
    assert_eq!(files.read("other.sql"), text);
}

#[tokio::test]
async fn a_restored_database_has_the_settings_of_the_dumped_one() {
    const SQL: &str = r#"DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET search_path = app, "100%% ""odd"""', current_database());
        EXECUTE format('ALTER DATABASE %I SET app.rate = ''5%%, it''''s''', current_database());
    END $$"#;
    let files = Files::new();
    let dumped = Template::sql(SQL).fresh().await;
    snapshot::dump(&dumped, files.path("set.sql")).await.unwrap();

    let restored = Template::snapshot(files.path("set.sql")).fresh().await;
    snapshot::dump(&restored, files.path("again.sql")).await.unwrap();

    let settings = "SELECT array[current_setting('search_path'), current_setting('app.rate')]";
    let settings: Vec<String> =
        sqlx::query_scalar(settings).fetch_one(restored.pool()).await.unwrap();
    assert_eq!(settings, [r#"app, "100% ""odd""""#, "5%, it's"]);
    assert_eq!(files.read("again.sql"), files.read("set.sql"));
}

#[tokio::test]
async fn a_restored_sequence_goes_on_after_the_last_id_and_constraints_hold() {
    let (_files, db) = restored().await;

    let id: i64 = sqlx::query_scalar("INSERT INTO rooms (name) VALUES ('hall') RETURNING id")
        .fetch_one(db.pool())
        .await
        .unwrap();
    let twice = run(&db, "INSERT INTO rooms (name) VALUES ('attic')").await.unwrap_err();
    let homeless = run(&db, r#"INSERT INTO "Odd things" (room) VALUES (99)"#).await.unwrap_err();

    assert_eq!(id, 4);
    assert!(twice.contains("rooms_name_key"), "{twice}");
    assert!(homeless.contains("Odd things_room_fkey"), "{homeless}");
}

#[tokio::test]
async fn a_fork_of_a_snapshot_sees_nothing_of_its_sibling_and_the_file_stays() {
    let (files, one) = restored().await;
    let before = files.read("shop.sql");
    run(&one, "DROP VIEW big; DELETE FROM \"Odd things\"; DELETE FROM rooms").await.unwrap();

    let other = Template::snapshot(files.path("shop.sql")).fresh().await;

    let rooms: i64 =
        sqlx::query_scalar("SELECT count(*) FROM rooms").fetch_one(other.pool()).await.unwrap();
    assert_eq!(rooms, 3);
    assert_eq!(files.read("shop.sql"), before);
}

#[tokio::test]
async fn a_dump_tells_nothing_of_owners_rights_and_what_is_not_committed() {
    let files = Files::new();
    let db = Template::sql("CREATE TABLE t (n INT); GRANT SELECT ON t TO PUBLIC").fresh().await;
    let mut open = db.begin().await.unwrap();
    sqlx::query("INSERT INTO t VALUES (1)").execute(&mut *open).await.unwrap();

    snapshot::dump(&db, files.path("t.sql")).await.unwrap();

    let text = files.read("t.sql");
    assert!(text.contains("CREATE TABLE public.t"), "{text}");
    for absent in ["GRANT", "OWNER TO", "INSERT", "restrict"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

#[tokio::test]
async fn a_setting_of_a_newer_server_is_passed_over() {
    let files = Files::new();
    files.write("new.sql", b"-- x\n\\restrict a\n\nSET from_the_future = 1;\nSET lock_timeout = 0;\n\nCREATE TABLE t (n INT);\n\n\\unrestrict a\n");

    let db = Template::snapshot(files.path("new.sql")).fresh().await;

    run(&db, "INSERT INTO t VALUES (1)").await.unwrap();
}

#[tokio::test]
async fn a_dump_that_was_saved_on_another_system_is_restored() {
    let files = Files::new();
    let original = Template::sql("CREATE TABLE t (said TEXT); INSERT INTO t VALUES ('Žižek 猫')");
    snapshot::dump(&original.fresh().await, files.path("unix.sql")).await.unwrap();
    // What newer versions of pg_dump put around it, whatever this one is.
    let unix = format!("--\n\n\\restrict a\n\n{}\n\\unrestrict a\n\n", files.read("unix.sql"));
    let windows = unix.replace('\n', "\r\n");
    let utf16 = format!("\u{feff}{windows}").encode_utf16().flat_map(u16::to_le_bytes).collect();

    for (name, bytes) in [
        ("windows.sql", windows.clone().into_bytes()),
        ("marked.sql", format!("\u{feff}{windows}").into_bytes()),
        ("powershell.sql", utf16),
        ("mac.sql", unix.replace('\n', "\r").into_bytes()),
        ("spaces.sql", unix.replace('\n', "  \n").into_bytes()),
    ] {
        files.write(name, &bytes);
        let db = Template::snapshot(files.path(name)).fresh().await;
        let said: String =
            sqlx::query_scalar("SELECT said FROM t").fetch_one(db.pool()).await.unwrap();
        assert_eq!(said, "Žižek 猫", "{name}");
    }
    let marked = Template::sql("\u{feff}CREATE TABLE t (n INT);\r\n").fresh().await;
    run(&marked, "INSERT INTO t VALUES (1)").await.unwrap();
}

#[test]
fn a_failure_names_the_file_and_the_line() {
    let files = Files::new();
    files.write(
        "bad.sql",
        b"-- a dump\n\\restrict a\n\nCREATE TABLE t (n INT);\nCREATE TABEL u (n INT);\n",
    );

    let template = Template::snapshot(files.path("bad.sql"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let failed = std::thread::spawn(move || drop(runtime.block_on(template.fresh()))).join();

    let words = failed.unwrap_err().downcast::<String>().unwrap();
    assert!(words.starts_with("the snapshot ") && words.contains("bad.sql failed"), "{words}");
    assert!(words.contains("(line 5, column 8)"), "{words}");
}

#[test]
fn what_cannot_be_restored_is_refused_with_the_cure() {
    let files = Files::new();
    files.write("custom", b"PGDMP\x01\x0e");
    files.write("copy.sql", b"-- a dump\n\nCOPY public.t (n) FROM stdin;\n1\n\\.\n");
    files.write("latin.sql", b"INSERT INTO t VALUES ('\xe9');\n");
    files.write("windows.sql", b"-- a dump\r\n\r\nCOPY public.t (n) FROM stdin;\r\n1\r\n\\.\r\n");
    files.write("owner.sql", b"CREATE TABLE t ();\nALTER TABLE public.t OWNER TO postgres;\n");
    files.write("create.sql", b"CREATE DATABASE x;\r\n\r\n\\connect x\r\n");

    for (name, why) in [
        ("custom", "only pg_restore reads"),
        ("copy.sql", "line 3: only psql can read the rows after a COPY"),
        ("latin.sql", "neither UTF-8"),
        ("windows.sql", "line 3: only psql can read the rows after a COPY"),
        ("owner.sql", "line 2: it gives what it makes to another role"),
        ("create.sql", "line 3: the dump makes a database of its own"),
        ("absent.sql", "No such file"),
    ] {
        let path = files.path(name);
        let refused = std::panic::catch_unwind(|| drop(Template::snapshot(path))).unwrap_err();
        let words = refused.downcast::<String>().unwrap();
        assert!(
            words.contains(why) && words.contains("to fix: testenv::snapshot::dump"),
            "{words}"
        );
    }
}

struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Files {
        Files { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }
}

/// A fork of a snapshot of the shop, and the folder with its `shop.sql`.
async fn restored() -> (Files, Db) {
    let files = Files::new();
    let original = Template::sql(SHOP).fresh().await;
    snapshot::dump(&original, files.path("shop.sql")).await.unwrap();
    let db = Template::snapshot(files.path("shop.sql")).fresh().await;
    (files, db)
}

async fn run(db: &PgPool, sql: &'static str) -> Result<(), String> {
    sqlx::raw_sql(sql).execute(db).await.map(drop).map_err(|error| error.to_string())
}
