//! Reuse: a server is kept between runs, found again, and refused in CI.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::every_service::SUBJECTS;
use crate::lab::engine::{docker, labelled};
use crate::lab::{Lab, PROMISED, line};

fn reusing(lab: &Lab, cache: &std::path::Path, end: &str) -> std::process::Command {
    using(lab, "postgres", cache, end)
}

fn using(lab: &Lab, part: &str, cache: &std::path::Path, end: &str) -> std::process::Command {
    let mut actor = lab.actor(part, end);
    actor.env("TESTENV_REUSE", "1").env("TESTENV_CACHE_DIR", cache).env_remove("CI");
    actor
}

/// A run of one test that keeps its server, or would; what it says, and how long it takes.
fn run(lab: &Lab, cache: &std::path::Path, ci: Option<&str>) -> (String, Duration) {
    run_of(lab, "postgres", cache, ci)
}

fn run_of(lab: &Lab, part: &str, cache: &std::path::Path, ci: Option<&str>) -> (String, Duration) {
    let mut actor = using(lab, part, cache, "pass");
    if let Some(ci) = ci {
        actor.env("CI", ci);
    }
    let start = Instant::now();
    let output = actor.stderr(Stdio::piped()).output().unwrap();
    let took = start.elapsed();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    // Also with a server kept, nothing of the run itself is left.
    lab.expect_nothing_left_but(PROMISED, "testenv.reuse");
    (said, took)
}

/// A run of one test that goes on until its standard input is closed.
fn live(lab: &Lab, cache: &std::path::Path) -> Child {
    let mut live = reusing(lab, cache, "wait").env("TESTENV_RUN_ID", "live").spawn().unwrap();
    assert_eq!(line(&mut live), "postgres");
    live
}

fn kept(lab: &Lab) -> Vec<String> {
    let ours = labelled("container", "testenv.owner", &lab.base().display().to_string());
    ours.iter().map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

#[test]
pub(crate) fn a_second_run_finds_the_first_ones_server_and_ci_refuses_it() {
    for subject in SUBJECTS {
        finds_the_first_ones_server(subject.part);
    }
}

fn finds_the_first_ones_server(part: &str) {
    let lab = Lab::new();
    let cache = tempfile::tempdir().unwrap();

    let (first, _) = run_of(&lab, part, cache.path(), None);
    let servers = kept(&lab);
    let (second, _) = run_of(&lab, part, cache.path(), None);
    let same = kept(&lab);
    let (third, _) = run_of(&lab, part, cache.path(), Some("true"));

    assert!(
        first.contains("to be kept") && second.contains("the kept container"),
        "{first}{second}"
    );
    assert_eq!((servers.len(), &same), (1, &servers));
    assert!(
        third.contains("refused, because CI is set") && third.contains("a container of"),
        "{third}"
    );
    assert_eq!(kept(&lab), servers, "the run under CI neither used nor ended it");

    docker(&["rm", "--force", "--volumes", &servers[0]]);
    let (fourth, _) = run_of(&lab, part, cache.path(), None);
    assert!(fourth.contains("to be kept"), "one that is gone is started anew: {fourth}");
    docker(&["rm", "--force", "--volumes", &kept(&lab)[0]]);
    lab.expect_nothing_left(PROMISED);
}

/// As `testenv reuse stop` does beside a run: what the run noted there is gone with the server, and nobody
/// tries to remove it for a day.
#[test]
pub(crate) fn a_kept_server_that_is_stopped_takes_what_runs_noted_with_it() {
    for subject in SUBJECTS {
        let lab = Lab::new();
        let cache = tempfile::tempdir().unwrap();
        let mut test = using(&lab, subject.part, cache.path(), "wait").spawn().unwrap();
        line(&mut test);

        docker(&["rm", "--force", "--volumes", &kept(&lab)[0]]);
        drop(test.stdin.take());
        test.wait().unwrap();

        lab.expect_nothing_left(PROMISED);
    }
}

/// What a run makes on a kept server goes with the run.
#[test]
pub(crate) fn nothing_of_a_run_stays_on_a_kept_server() {
    for subject in SUBJECTS {
        let service = subject.service.name;
        let lab = Lab::new();
        let cache = tempfile::tempdir().unwrap();
        let mut first = using(&lab, subject.part, cache.path(), "wait");
        let mut first = first.env("TESTENV_RUN_ID", "first").spawn().unwrap();
        line(&mut first);
        let address = lab.address_of("first", service);
        let content = || (subject.content)(&address);
        assert_ne!(content(), [""; 0], "{service}: nothing was made");

        drop(first.stdin.take());
        first.wait().unwrap();
        lab.expect_nothing_left_but(PROMISED, "testenv.reuse");

        assert_eq!(content(), [""; 0], "{service}");
        docker(&["rm", "--force", "--volumes", &kept(&lab)[0]]);
        lab.expect_nothing_left(PROMISED);
    }
}

/// What belongs to a template beside its database: the role of its tests.
#[test]
fn the_role_of_a_template_is_no_superuser_and_goes_with_it() {
    let (lab, cache) = (Lab::new(), tempfile::tempdir().unwrap());
    let ask = |sql: &str| docker(&["exec", &kept(&lab)[0], "psql", "-tAU", "postgres", "-c", sql]);
    let roles = || {
        let roles =
            "SELECT rolname || ' ' || rolsuper FROM pg_roles WHERE rolname ~ '^testenv' ORDER BY 1";
        ask(roles).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    run(&lab, cache.path(), None);
    let first = roles();
    ask("DO $$ BEGIN EXECUTE (
        SELECT format('COMMENT ON DATABASE %I IS ''testenv template 1 in postgres''', datname)
        FROM pg_database WHERE datname ~ '^testenv_tpl'); END $$");

    run_of(&lab, "two templates", cache.path(), None);
    let second = roles();

    assert!(first.len() == 1 && first[0].ends_with(" false"), "{first:?}");
    assert_eq!(second.len(), 2, "one for each template: {second:?}");
    assert!(!second.contains(&first[0]), "{second:?}");
    docker(&["rm", "--force", "--volumes", &kept(&lab)[0]]);
    lab.expect_nothing_left(PROMISED);
}

/// As "too many clients" does, or an hour of a hung disk: the server runs, serves one run, and lets nobody else in.
#[test]
fn a_kept_server_that_refuses_one_greeting_is_not_removed_under_a_live_run() {
    let lab = Lab::new();
    let cache = tempfile::tempdir().unwrap();
    let mut live = live(&lab, cache.path());
    let servers = kept(&lab);
    let open = |open: bool| {
        let sql = format!("ALTER DATABASE postgres ALLOW_CONNECTIONS {open}");
        docker(&["exec", &servers[0], "psql", "-qU", "postgres", "template1", "-c", &sql]);
    };

    open(false);
    let mut other = reusing(&lab, cache.path(), "pass");
    let other = other.env("TESTENV_RUN_ID", "other").stderr(Stdio::piped()).output().unwrap();
    open(true);

    let said = String::from_utf8(other.stderr).unwrap();
    assert!(other.status.success() && said.contains("a server of its own"), "{said}");
    let running = docker(&["inspect", "--format", "{{.State.Running}}", &servers[0]]);
    assert_eq!(running.trim(), "true");
    drop(live.stdin.take());
    assert!(live.wait().unwrap().success());
    docker(&["rm", "--force", "--volumes", &servers[0]]);
    lab.expect_nothing_left(PROMISED);
}

/// Under nextest each test is a process, and between two of them there may be none.
#[test]
fn a_kept_server_is_not_stopped_between_two_processes_of_a_run() {
    let lab = Lab::new();
    let cache = tempfile::tempdir().unwrap();
    let ended = reusing(&lab, cache.path(), "pass").env("TESTENV_GRACE_MS", "4000").status();
    assert!(ended.unwrap().success());
    let locks = std::fs::read_dir(cache.path().join("reuse")).unwrap().flatten();
    let mut users =
        locks.map(|file| file.path()).filter(|path| path.extension().is_some_and(|e| e == "users"));
    let users = std::fs::File::open(users.next().unwrap()).unwrap();

    let is_used = || users.try_lock().is_err().then_some(()).ok_or("nobody uses it");
    testenv::wait::until_blocking(Duration::from_secs(1), "the reaper's use", is_used).unwrap();
    lab.expect_nothing_left_but(PROMISED, "testenv.reuse");

    users.try_lock().expect("with its run, the use of a kept server ends");
    docker(&["rm", "--force", "--volumes", &kept(&lab)[0]]);
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_kept_server_that_ended_is_started_anew_unless_a_run_still_counts_on_it() {
    let lab = Lab::new();
    let cache = tempfile::tempdir().unwrap();
    let mut live = live(&lab, cache.path());
    let servers = kept(&lab);

    docker(&["kill", &servers[0]]);
    let mut other = reusing(&lab, cache.path(), "pass");
    let other = other.env("TESTENV_RUN_ID", "other").stderr(Stdio::piped()).output().unwrap();

    let said = String::from_utf8(other.stderr).unwrap();
    assert!(other.status.success() && said.contains("a server of its own"), "{said}");
    let there = docker(&["inspect", "--format", "{{.State.Running}}", &servers[0]]);
    assert_eq!(there.trim(), "false", "what is left of it is the live run's to look at");
    drop(live.stdin.take());
    live.wait().unwrap();
    lab.expect_nothing_left_but(PROMISED, "testenv.reuse");
    let (next, _) = run(&lab, cache.path(), None);
    assert!(next.contains("to be kept"), "{next}");
    let anew = kept(&lab);
    assert_eq!(anew.len(), 1);
    assert_ne!(anew, servers);
    docker(&["rm", "--force", "--volumes", &anew[0]]);
    lab.expect_nothing_left(PROMISED);
}

/// A note that a full disk, a cleaner or a kill made useless leads to no server, and to no harm.
#[test]
fn a_kept_server_whose_note_is_gone_is_neither_used_nor_removed() {
    let lab = Lab::new();
    let cache = tempfile::tempdir().unwrap();
    let mut live = live(&lab, cache.path());
    let servers = kept(&lab);

    for entry in std::fs::read_dir(cache.path().join("reuse")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "note" || end == "url" || end == "users") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let mut other = reusing(&lab, cache.path(), "pass");
    let other = other.env("TESTENV_RUN_ID", "other").stderr(Stdio::piped()).output().unwrap();

    assert!(other.status.success(), "{}", String::from_utf8(other.stderr).unwrap());
    let running = docker(&["inspect", "--format", "{{.State.Running}}", &servers[0]]);
    assert_eq!(running.trim(), "true");
    drop(live.stdin.take());
    assert!(live.wait().unwrap().success());
    docker(&["rm", "--force", "--volumes", &servers[0]]);
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn the_note_of_a_kept_server_is_its_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    let cache = tempfile::tempdir().unwrap();

    run(&lab, cache.path(), None);

    let dir = cache.path().join("reuse");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let notes: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(notes.iter().any(|path| path.extension().is_some_and(|end| end == "note")));
    for note in notes {
        assert_eq!(mode(&note), 0o600, "{}", note.display());
    }
    docker(&["rm", "--force", "--volumes", &kept(&lab)[0]]);
    lab.expect_nothing_left(PROMISED);
}
