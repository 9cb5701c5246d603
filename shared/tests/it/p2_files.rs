//! P2 for templates from files and programs: built once per content, whatever client made them.

use std::path::Path;

use testenv::{Db, Template};

use crate::given::{Given, ask};
use crate::lab::{Lab, PROMISED};

async fn words(db: &Db, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(db.pool()).await.unwrap()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// Which template a database is a copy of: its role is named after it.
async fn template_of(db: &Db) -> String {
    words(db, "SELECT current_user::text").await
}

async fn refusal(template: Template) -> String {
    let failed = tokio::spawn(async move { drop(template.fresh().await) }).await;
    *failed.unwrap_err().into_panic().downcast::<String>().unwrap()
}

#[tokio::test]
async fn a_folder_of_files_is_a_template_and_its_names_and_contents_identify_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "10_more.sql", "INSERT INTO rooms VALUES ('cellar')");
    write(
        folder.path(),
        "9_rooms.up.sql",
        "CREATE TABLE rooms (name TEXT); INSERT INTO rooms VALUES ('attic')",
    );
    write(folder.path(), "9_rooms.down.sql", "DROP TABLE rooms");

    let (one, same) = (
        Template::folder(folder.path()).fresh().await,
        Template::folder(folder.path()).fresh().await,
    );
    assert_eq!(
        words(&one, "SELECT string_agg(name, ' ' ORDER BY name) FROM rooms").await,
        "attic cellar"
    );
    assert_eq!(template_of(&one).await, template_of(&same).await);

    write(folder.path(), "10_more.sql", "INSERT INTO rooms VALUES ('hall')");
    let edited = Template::folder(folder.path()).fresh().await;
    assert_eq!(
        words(&edited, "SELECT string_agg(name, ' ' ORDER BY name) FROM rooms").await,
        "attic hall"
    );

    std::fs::rename(folder.path().join("10_more.sql"), folder.path().join("11_more.sql")).unwrap();
    let renamed = Template::folder(folder.path()).fresh().await;
    assert_ne!(template_of(&renamed).await, template_of(&edited).await);
}

/// The server's words, and the place in the text; nothing of the server's own source.
#[tokio::test]
async fn a_text_that_fails_is_named_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = "CREATE TABLE rooms ();\nSELECT no_such_column;";
    write(folder.path(), "0001_rooms.sql", text);

    for (template, name) in [
        (Template::folder(folder.path()), "0001_rooms.sql failed"),
        (Template::sql(text), "the template's SQL failed"),
    ] {
        let refused = refusal(template).await;

        let words = "cause: column \"no_such_column\" does not exist (line 2, column 8)\n";
        assert!(refused.contains(name) && refused.contains(words), "{refused}");
    }
}

#[tokio::test]
async fn a_program_makes_a_template_that_is_built_anew_when_its_files_change() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "schema.sql", "CREATE TABLE made AS SELECT 'one' AS word");
    let (actor, file) = (env!("CARGO_BIN_EXE_testenv-actor"), folder.path().join("schema.sql"));
    let template = || Template::program(actor, ["schema", file.to_str().unwrap()], folder.path());

    let (one, same) = (template().fresh().await, template().fresh().await);
    assert_eq!(words(&one, "SELECT word FROM made").await, "one");
    assert_eq!(template_of(&one).await, template_of(&same).await);

    write(folder.path(), "schema.sql", "CREATE TABLE made AS SELECT 'two' AS word");
    assert_eq!(words(&template().fresh().await, "SELECT word FROM made").await, "two");
}

#[tokio::test]
async fn a_program_that_fails_is_quoted_without_the_password() {
    let refused = refusal(Template::program(
        "sh",
        ["-c", "echo \"no way to $DATABASE_URL; password=$(echo $DATABASE_URL | cut -d: -f3 | cut -d@ -f1).\"; exit 3"],
        "Cargo.toml",
    ))
    .await;
    let missing = refusal(Template::program("no-such-program", [], "Cargo.toml")).await;

    assert!(
        refused.contains("failed, exit status: 3") && refused.contains("no way to postgres://"),
        "{refused}"
    );
    assert!(refused.contains(":***@") && refused.contains("password=***."), "{refused}");
    assert!(missing.contains("`no-such-program` cannot be run"), "{missing}");
}

#[tokio::test]
async fn a_function_is_called_anew_when_a_file_that_it_depends_on_changes() {
    let folder = tempfile::tempdir().unwrap();
    let template = || {
        let build = async |url: String| {
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await?;
            sqlx::raw_sql("CREATE TABLE built ()").execute(&mut connection).await?;
            Ok(())
        };
        Template::build("depends 1", build).depends_on(folder.path())
    };
    write(folder.path(), "schema.rs", "one");
    let (one, same) = (template().fresh().await, template().fresh().await);

    write(folder.path(), "schema.rs", "two");
    let edited = template().fresh().await;

    assert_eq!(template_of(&one).await, template_of(&same).await);
    assert_ne!(template_of(&one).await, template_of(&edited).await);
}

/// The role of a given server's URL may not end the session of another role.
#[test]
fn a_session_that_a_function_leaves_open_and_that_cannot_be_ended_is_named() {
    let (given, lab) = (Given::start(), Lab::new());
    let alice = testenv::blocking::wait(given.role("alice"));
    let mut test = lab.actor("asked", "pass");
    let mut test =
        test.env("TESTENV_POSTGRES_URL", &alice).env("TEMPLATE_KEEPS", &given.url).spawn().unwrap();

    let refused = ask(&mut test, "1");

    assert!(refused.contains("what built the template still uses its database"), "{refused}");
    assert!(
        refused.contains("a session of the role postgres (application_name 'a_forgotten_pool'"),
        "{refused}"
    );
    drop(test.stdin.take());
    test.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
    given.end();
}
