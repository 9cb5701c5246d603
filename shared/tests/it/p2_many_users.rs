//! P2 on a server that others use: every template belongs to its maker, and is held from its first
//! moment to the end of the run.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use testenv::wait;

use crate::given::{Given, ask};
use crate::lab::{Lab, PROMISED};

const TEMPLATES: &str =
    "SELECT oid::text FROM pg_database WHERE datname LIKE 'testenv\\_tpl\\_%' ORDER BY oid";

/// What the last of a run's lines say that passed.
fn pass(lab: &Lab, part: &str, url: &str, vars: &[(&str, &str)]) -> BTreeSet<String> {
    let mut actor = lab.actor(part, "pass");
    actor.env("TESTENV_POSTGRES_URL", url).envs(vars.iter().copied()).stderr(Stdio::piped());
    let output = actor.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lab.expect_nothing_left(PROMISED);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn tables(count: usize) -> BTreeSet<String> {
    (0..count).map(|number| format!("made_for_{number}")).collect()
}

#[test]
fn tests_of_one_run_with_templates_of_their_own_begin_at_once_on_a_cold_server() {
    let (given, lab) = (Given::start(), Lab::new());

    let two = pass(&lab, "two templates", &given.url, &[]);
    let six = pass(&lab, "six migrators", &given.url, &[]);

    assert!(two.is_superset(&tables(2)), "{two:?}");
    assert!(six.is_superset(&tables(6)), "{six:?}");
    given.end();
}

#[tokio::test]
async fn two_branches_keep_their_templates_when_they_are_tested_in_turn() {
    let (given, lab) = (Given::start(), Lab::new());
    pass(&lab, "six migrators", &given.url, &[]);
    let first = given.column(TEMPLATES).await;

    pass(&lab, "two templates", &given.url, &[]);
    pass(&lab, "six migrators", &given.url, &[]);
    let last = given.column(TEMPLATES).await;

    assert_eq!((first.len(), last.len()), (6, 8));
    assert!(last.starts_with(&first), "none was built again: {first:?} {last:?}");
    given.end();
}

#[test]
pub(crate) fn runs_that_begin_at_once_on_a_cold_server_build_each_template_once() {
    let (given, labs) = (Given::start(), [Lab::new(), Lab::new(), Lab::new()]);
    let counted = tempfile::NamedTempFile::new().unwrap();
    let vars = [("PROJECT", "shop"), ("COUNTED_IN", counted.path().to_str().unwrap())];

    let found: Vec<BTreeSet<String>> = std::thread::scope(|scope| {
        let run = |lab| pass(lab, "a builder", &given.url, &vars);
        let runs: Vec<_> = labs.iter().map(|lab| scope.spawn(move || run(lab))).collect();
        let branch = scope.spawn(|| pass(&Lab::new(), "six migrators", &given.url, &[]));
        assert!(branch.join().unwrap().is_superset(&tables(6)));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });

    assert!(found.iter().all(|lines| lines.contains("made_for_shop")), "{found:?}");
    assert_eq!(std::fs::read_to_string(counted.path()).unwrap(), "built\n");
    given.end();
}

#[test]
fn what_two_projects_both_call_schema_1_is_not_one_template() {
    let (given, lab) = (Given::start(), Lab::new());
    let project = |name: &str, package: &str, dir: &str| {
        let vars = [("PROJECT", name), ("CARGO_PKG_NAME", package), ("CARGO_MANIFEST_DIR", dir)];
        pass(&lab, "a builder", &given.url, &vars)
    };

    let shop = project("shop", "shop", "/src/work");
    let inn = project("inn", "inn", "/src/work");
    let copy = project("copy", "shop", "/src/other");
    let shop_again = project("unseen", "shop", "/src/work");

    assert!(shop.contains("made_for_shop"), "{shop:?}");
    assert!(inn.contains("made_for_inn"), "{inn:?}");
    assert!(copy.contains("made_for_copy"), "{copy:?}");
    assert!(shop_again.contains("made_for_shop"), "its own is found again: {shop_again:?}");
    given.end();
}

#[tokio::test]
async fn two_roles_use_one_server_and_neither_needs_what_is_the_others() {
    let (given, hers, his) = (Given::start(), Lab::new(), Lab::new());
    let (alice, bob) = (given.role("alice").await, given.role("bob").await);

    pass(&hers, "postgres", &alice, &[]);
    pass(&his, "postgres", &bob, &[]);
    a_day_passes(&given).await;
    let mut holds = holder(&his, &bob);
    pass(&hers, "postgres", &alice, &[]);
    ask(&mut holds, "1");
    drop(holds.stdin.take());
    assert!(holds.wait().unwrap().success());
    his.expect_nothing_left(PROMISED);
    pass(&his, "postgres", &given.url, &[]);

    let owners = given.column(
        "SELECT DISTINCT pg_get_userbyid(datdba)::text AS role FROM pg_database WHERE datname LIKE 'testenv\\_tpl\\_%' ORDER BY role",
    );
    assert_eq!(owners.await, ["alice", "bob", "postgres"]);
    given.end();
}

#[tokio::test]
async fn a_template_goes_when_it_was_not_used_for_a_day_and_stays_as_long_as_it_is_used() {
    let (given, user, other) = (Given::start(), Lab::new(), Lab::new());
    pass(&other, "two templates", &given.url, &[]);
    let unused = given.column(TEMPLATES).await;
    let mut holds = holder(&user, &given.url);
    ask(&mut holds, "1");
    let used = given.column(TEMPLATES).await;
    a_day_passes(&given).await;
    // As another database that somebody has called so.
    given.execute("CREATE DATABASE testenv_tpl_theirs").await;
    let theirs = given.column(TEMPLATES).await.into_iter().next_back();

    let mut sweeps = holder(&other, &given.url);
    ask(&mut sweeps, "1");

    let left = || async { given.column(TEMPLATES).await };
    wait::until(PROMISED, "the end of unused templates", async || {
        let left = left().await;
        if left.iter().any(|oid| unused.contains(oid)) { Err(format!("{left:?}")) } else { Ok(()) }
    })
    .await
    .unwrap();
    let left = left().await;
    assert!(left.contains(used.last().unwrap()), "the one in use: {left:?}, {used:?}");
    assert!(left.contains(&theirs.unwrap()), "{left:?}");
    for mut run in [holds, sweeps] {
        assert!(ask(&mut run, "40").starts_with("had: "));
        drop(run.stdin.take());
        run.wait().unwrap();
    }
    given.end();
}

#[tokio::test]
async fn of_many_templates_that_nobody_uses_the_newest_stay_for_the_day() {
    let (given, lab) = (Given::start(), Lab::new());
    // Which older versions do unasked.
    let quickly = if given.version().await >= 15 { "STRATEGY FILE_COPY" } else { "" };
    for number in 0..25 {
        let name = format!("testenv_tpl_{number:032x}");
        given.execute(&format!("CREATE DATABASE {name} {quickly}")).await;
        let about = format!(
            "format('testenv template %s in postgres', extract(epoch FROM now())::bigint - 10800 - 60 * {number})"
        );
        let comment = format!(
            "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE {name} IS %L', {about}); END $$"
        );
        given.execute(&comment).await;
    }

    let mut sweeps = holder(&lab, &given.url);
    ask(&mut sweeps, "1");

    const LEFT: &str = "SELECT datname::text FROM pg_database WHERE datname LIKE 'testenv\\_tpl\\_000%' ORDER BY datname";
    wait::until(PROMISED, "the end of the oldest templates", async || {
        let left = given.column(LEFT).await;
        if left.len() <= 20 { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await
    .unwrap();
    drop(sweeps.stdin.take());
    sweeps.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
    let left = given.column(LEFT).await;
    let newest: Vec<String> =
        (0..left.len()).map(|number| format!("testenv_tpl_{number:032x}")).collect();
    assert!((19..=20).contains(&left.len()) && left == newest, "{left:?}");
    given.end();
}

/// A run that has joined, and takes databases when it is asked.
fn holder(lab: &Lab, url: &str) -> Child {
    lab.actor("asked", "pass").env("TESTENV_POSTGRES_URL", url).spawn().unwrap()
}

/// The last use of every template is put a day back.
async fn a_day_passes(given: &Given) {
    let comments = given.column(
        "SELECT format('COMMENT ON DATABASE %I IS %L;', datname, regexp_replace(shobj_description(oid, 'pg_database'), '[0-9]+',
            (substring(shobj_description(oid, 'pg_database') FROM '[0-9]+')::bigint - 86401)::text))
         FROM pg_database WHERE shobj_description(oid, 'pg_database') ~ '^testenv template [0-9]+'",
    );
    given.execute(&comments.await.concat()).await;
}
