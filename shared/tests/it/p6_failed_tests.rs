//! P6: a test has failed if its runner says so. `endings.rs` has the tests with which two things
//! are tested: what failed tests leave on a server that outlives the run, and what they print.

use std::process::{Child, Command, Stdio};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use testenv::fault::{PROGRAM_VAR, Program};

use crate::lab::{self, Lab, PROMISED};

/// As in P1, the workspace's own command.
const TESTS: [&str; 5] = ["--workspace", "--features", "integration", "--test", "endings"];

/// Every test that fails when it is told to, and how its database is known: what it wrote there.
const FAILING: [&str; 5] =
    ["panics", "returns_err", "should_panic", "shrinks", "uses_what_it_dropped"];

/// A server that somebody else runs.
struct Given {
    lab: Lab,
    owner: Child,
    url: String,
}

impl Given {
    fn start() -> Given {
        let lab = Lab::new();
        let mut owner = lab.actor("given postgres", "wait").spawn().unwrap();
        let url = lab::line(&mut owner);
        Given { lab, owner, url }
    }

    /// What was written to the databases of tests that are there, by the first word; they are dropped.
    fn left(&self) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut admin = PgConnection::connect(&self.url).await.unwrap();
            let names = "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'";
            let names: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut admin).await.unwrap();
            let mut left = Vec::new();
            for name in names {
                let url = format!("{}/{name}", self.url.rsplit_once('/').unwrap().0);
                let mut database = PgConnection::connect(&url).await.unwrap();
                let wrote = sqlx::query_scalar("SELECT name FROM users").fetch_one(&mut database);
                let wrote: String = wrote.await.unwrap();
                database.close().await.unwrap();
                left.push(wrote.split(' ').next().unwrap().to_owned());
                let drop = AssertSqlSafe(format!("DROP DATABASE \"{name}\""));
                sqlx::raw_sql(drop).execute(&mut admin).await.unwrap();
            }
            left.sort();
            left
        })
    }

    fn end(mut self) {
        drop(self.owner.stdin.take());
        self.owner.wait().unwrap();
        self.lab.expect_nothing_left(PROMISED);
    }
}

/// What tests say that are started so, told to fail or not, and whether they all passed.
fn run(given: &Given, mut command: Command, told: &str) -> (String, bool) {
    command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("TESTENV_POSTGRES_URL", &given.url)
        .env("ENDINGS", told)
        .env("RUST_BACKTRACE", "0")
        .stderr(Stdio::piped());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (said.into_owned(), output.status.success())
}

fn cargo(lab: &Lab, words: &[&str], filter: &[&str]) -> Command {
    let mut cargo = lab.command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo.args(words).args(TESTS).args(filter);
    cargo
}

/// The command behind these words in what was said of a test.
fn told<'a>(said: &'a str, test: &str, words: &str) -> &'a str {
    let of_test =
        said.split("testenv: ").find(|part| part.starts_with(&format!("postgres: {test} ")));
    let of_test = of_test.unwrap_or_else(|| panic!("{test} in: {said}"));
    let mut lines = of_test.lines().filter_map(|line| line.trim().strip_prefix(words));
    lines.next().unwrap_or_else(|| panic!("{words} in: {of_test}"))
}

#[test]
pub(crate) fn of_tests_that_fail_in_every_way_each_leaves_one_database_and_says_so_once() {
    let (given, lab) = (Given::start(), Lab::new());

    let (said, passed) = run(&given, cargo(&lab, &["test"], &[]), "fail");

    assert!(!passed && said.contains("4 passed; 5 failed"), "{said}");
    lab.expect_nothing_left(PROMISED);
    let left = given.left();
    for test in FAILING {
        assert_eq!(left.iter().filter(|left| *left == test).count(), 1, "{test}: {left:?}");
        assert_eq!(said.matches(&format!("testenv: postgres: {test} ")).count(), 1, "{said}");
    }
    assert!(
        told(&said, "uses_what_it_dropped", "its guard was dropped ").contains("keep the guard")
    );
    assert_eq!(said.matches("its guard was dropped").count(), 1, "{said}");
    // A panic that no test is known for, and `Ok` beside an `Err`: neither can be told from a failure.
    let beyond = left.iter().filter(|left| !FAILING.contains(&left.as_str()));
    let beyond: Vec<&str> = beyond.map(String::as_str).collect();
    assert!(beyond.iter().all(|left| ["catches_a_panic", "returns_ok"].contains(left)), "{left:?}");
    given.end();
}

#[test]
fn tests_that_pass_leave_nothing_whatever_they_did() {
    let (given, lab) = (Given::start(), Lab::new());

    let (said, passed) = run(&given, cargo(&lab, &["test"], &[]), "pass");

    assert!(passed && said.contains("9 passed"), "{said}");
    assert!(!said.contains("run it again"), "{said}");
    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.left(), Vec::<String>::new());
    given.end();
}

/// Tests fail on a wrong program because they should. A right one of the same check looks like it.
#[test]
fn of_tests_that_fail_in_a_check_nothing_is_left_and_nothing_is_said() {
    let (given, lab) = (Given::start(), Lab::new());
    let reached = tempfile::NamedTempFile::new().unwrap();
    let program = Program::new(Some("minus"), [1, 2], reached.path());
    let mut checked = cargo(&lab, &["test"], &[]);
    checked.env(PROGRAM_VAR, &*program.value());

    let (said, passed) = run(&given, checked, "fail");

    assert!(!passed && said.contains("4 passed; 5 failed"), "{said}");
    for word in ["its guard was dropped", "look at it"] {
        assert!(!said.contains(word), "{word} in: {said}");
    }
    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.left(), Vec::<String>::new());
    given.end();
}

#[test]
fn the_command_that_runs_a_failed_test_again_runs_it_and_no_other() {
    let (given, lab) = (Given::start(), Lab::new());
    let first = |words: &[&str], filter: &[&str]| run(&given, cargo(&lab, words, filter), "fail").0;
    let under_cargo = first(&["test"], &["returns_err"]);
    let under_nextest = first(&["nextest", "run"], &["returns_err"]);

    for (said, runner) in [(under_cargo, "cargo test"), (under_nextest, "cargo nextest run")] {
        let again = told(&said, "returns_err", "run it again: ");
        assert!(again.contains(runner), "{again}");
        let mut shell = lab.command("sh");
        shell.args(["-c", again]);
        // From anywhere: where the shell of the first command was not, the command says where to go.
        let (said, passed) = run(&given, shell, "fail");
        let failed = ["0 passed; 1 failed", "1 test run: 0 passed, 1 failed"];
        assert!(!passed && failed.iter().any(|words| said.contains(words)), "{again}: {said}");
        assert!(told(&said, "returns_err", "look at it: ").starts_with("psql '"), "{said}");
    }
    lab.expect_nothing_left(PROMISED);
    // Twice under each runner.
    assert_eq!(given.left(), ["returns_err"; 4]);
    given.end();
}

#[test]
fn under_nextest_each_test_is_judged_alone() {
    let (given, lab) = (Given::start(), Lab::new());

    let (said, passed) = run(&given, cargo(&lab, &["nextest", "run"], &[]), "fail");

    assert!(!passed && said.contains("4 passed, 5 failed"), "{said}");
    lab.expect_nothing_left(PROMISED);
    assert_eq!(given.left(), FAILING);
    given.end();
}
