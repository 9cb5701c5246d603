//! Reuse: a server that is kept between runs, found again, and refused under CI.

use std::time::Instant;

use crate::lab::engine::{docker, labelled};
use crate::lab::{Lab, PROMISED, line};

fn reusing(lab: &Lab, cache: &std::path::Path, end: &str) -> std::process::Command {
    let mut actor = lab.actor("postgres", end);
    actor.env("TESTENV_REUSE", "1").env("TESTENV_CACHE_DIR", cache).env_remove("CI");
    actor
}

/// A run of one test that keeps its server, or would; what it says, and how long it takes.
fn run(lab: &Lab, cache: &std::path::Path, ci: Option<&str>) -> (String, std::time::Duration) {
    let mut actor = reusing(lab, cache, "pass");
    if let Some(ci) = ci {
        actor.env("CI", ci);
    }
    let start = Instant::now();
    let output = actor.stderr(std::process::Stdio::piped()).output().unwrap();
    let took = start.elapsed();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    // Also with a server kept, nothing of the run itself is left.
    lab.expect_nothing_left_but(PROMISED, "testenv.reuse");
    (said, took)
}

fn kept(lab: &Lab) -> Vec<String> {
    let ours = labelled("container", "testenv.owner", &lab.base().display().to_string());
    ours.iter().map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

#[test]
fn a_second_run_finds_the_first_ones_server_and_ci_refuses_it() {
    let lab = Lab::new();
    let cache = tempfile::tempdir().unwrap();

    let (first, _) = run(&lab, cache.path(), None);
    let servers = kept(&lab);
    let (second, _) = run(&lab, cache.path(), None);
    let same = kept(&lab);
    let (third, _) = run(&lab, cache.path(), Some("true"));

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
    let (fourth, _) = run(&lab, cache.path(), None);
    assert!(fourth.contains("to be kept"), "one that is gone is started anew: {fourth}");
    docker(&["rm", "--force", "--volumes", &kept(&lab)[0]]);
    lab.expect_nothing_left(PROMISED);
}

/// As `cargo course reuse stop` does beside a run: what the run noted there is gone with the server, and nobody tries to remove it for a day.
#[test]
fn a_kept_server_that_is_stopped_takes_what_runs_noted_with_it() {
    let lab = Lab::new();
    let cache = tempfile::tempdir().unwrap();
    let mut test = reusing(&lab, cache.path(), "wait").spawn().unwrap();
    assert_eq!(line(&mut test), "postgres");

    docker(&["rm", "--force", "--volumes", &kept(&lab)[0]]);
    drop(test.stdin.take());
    test.wait().unwrap();

    lab.expect_nothing_left(PROMISED);
}
