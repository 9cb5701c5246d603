//! P11: no secret of a server is in a place where others could read it: a name, a label, a command
//! line, another program's environment, a log.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::lab::engine::{docker, labelled};
use crate::lab::{self, Lab, PROMISED, complaint};
use crate::p4_s3::Given;

const RUN: &str = "secret";

/// Starts a server, and looks for its password in all places but the files of its owner.
fn is_kept_secret(part: &str, vars: &[(&str, &str)]) {
    let lab = Lab::new();
    let mut actor = lab.actor(part, "wait");
    actor.envs(vars.iter().copied()).env("TESTENV_RUN_ID", RUN).env_remove("CI");
    let mut test = actor.stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(lab::line(&mut test), part);
    let run = lab.base().join(RUN);
    let secret = password(&std::fs::read_to_string(run.join(format!("{part}.json"))).unwrap());

    let mut found = places(&lab, &secret, None);
    drop(test.stdin.take());
    let output = test.wait_with_output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    if String::from_utf8_lossy(&printed).contains(&secret) {
        found.push("what it printed".to_owned());
    }

    assert_eq!(found, Vec::<String>::new());
    assert!(secret.len() >= 32 && output.status.success(), "{secret}: {}", output.status);
    for id in containers(&lab) {
        // Only a kept one is there yet.
        docker(&["rm", "--force", "--volumes", &id]);
    }
    lab.expect_nothing_left(PROMISED);
}

/// The places where others could read `secret`, while a run of the lab lives. The process with the
/// number `given_to` has it in its environment, from whoever started it.
fn places(lab: &Lab, secret: &str, given_to: Option<u32>) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |place: &str, text: &str| {
        if text.contains(secret) {
            found.push(place.to_owned());
        }
    };
    for process in std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()) {
        for file in ["cmdline", "environ"] {
            if given_to.is_some_and(|pid| process.ends_with(pid.to_string())) {
                continue;
            }
            // A process that ends meanwhile has neither.
            let bytes = std::fs::read(process.join(file)).unwrap_or_default();
            look(&process.join(file).display().to_string(), &String::from_utf8_lossy(&bytes));
        }
    }
    for id in containers(lab) {
        look("docker inspect", &docker(&["inspect", &id]));
        look("docker logs", &both(&["logs", &id]));
    }
    let (files, clusters) = (files(&lab.base().join(RUN)), clusters());
    for file in files.iter().chain(&clusters) {
        look("a name", &file.display().to_string());
        let bytes = std::fs::read(file).unwrap_or_default();
        let holds = String::from_utf8_lossy(&bytes).contains(secret);
        let private = file.metadata().is_ok_and(|it| it.permissions().mode() & 0o077 == 0);
        if holds && (clusters.contains(file) || !private) {
            look(&format!("{}", file.display()), secret);
        }
    }
    found
}

/// Of the URL in a run's note of its server.
fn password(note: &str) -> String {
    let (_, url) = note.split_once("://").unwrap();
    let (user, _) = url.split_once('@').unwrap();
    user.split_once(':').unwrap().1.to_owned()
}

fn containers(lab: &Lab) -> Vec<String> {
    let owner = lab.base().display().to_string();
    let lines = labelled("container", "testenv.owner", &owner);
    lines.iter().map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

/// Standard output and standard error of `docker`.
fn both(args: &[&str]) -> String {
    let output = std::process::Command::new("docker").args(args).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn clusters() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("testenv"));
    ours.flat_map(|entry| files(&entry.path())).collect()
}

/// Everything below a directory, with itself.
fn files(path: &Path) -> Vec<PathBuf> {
    let below = std::fs::read_dir(path).into_iter().flatten().flatten();
    let ordinary =
        |path: &Path| path.symlink_metadata().is_ok_and(|it| it.is_dir() || it.is_file());
    let below = below.flat_map(|entry| files(&entry.path()));
    below.chain(ordinary(path).then(|| path.to_owned())).collect()
}

#[test]
pub(crate) fn the_password_of_a_postgresql_in_a_container_is_a_secret() {
    is_kept_secret("postgres", &[("TESTENV_PROVIDER", "docker")]);
}

#[test]
pub(crate) fn the_password_of_a_native_postgresql_is_a_secret() {
    is_kept_secret("postgres", &[("TESTENV_PROVIDER", "native")]);
}

#[test]
pub(crate) fn the_password_of_a_kept_postgresql_is_a_secret() {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().to_str().unwrap();
    is_kept_secret("postgres", &[("TESTENV_REUSE", "1"), ("TESTENV_CACHE_DIR", cache)]);
}

#[test]
pub(crate) fn the_password_of_a_kept_redis_is_a_secret() {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().to_str().unwrap();
    is_kept_secret("redis", &[("TESTENV_REUSE", "1"), ("TESTENV_CACHE_DIR", cache)]);
}

#[test]
pub(crate) fn the_password_of_a_redis_in_a_container_is_a_secret() {
    is_kept_secret("redis", &[("TESTENV_PROVIDER", "docker")]);
}

#[test]
pub(crate) fn the_password_of_a_native_redis_is_a_secret() {
    is_kept_secret("redis", &[("TESTENV_PROVIDER", "native")]);
}

#[test]
pub(crate) fn the_credentials_of_a_given_s3_server_are_a_secret() {
    let given = Given::start();
    let lab = Lab::new();
    let secret = "0123456789abcdefghijklmnopqrstuv";
    let mut actor = lab.actor("bucket", "wait");
    actor.envs(given.vars()).env("AWS_SECRET_ACCESS_KEY", secret).env("TESTENV_RUN_ID", RUN);
    let mut test = actor.stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(lab::line(&mut test), "bucket");

    let found = places(&lab, secret, Some(test.id()));

    drop(test.stdin.take());
    let output = test.wait_with_output().unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!((found, printed.contains(secret)), (vec![], false));
    lab.expect_nothing_left(PROMISED);
    given.expect_only_theirs();
    given.end();
}

/// What a shell may tell clients of its user's own servers; each of them is the end of some client, or of the server.
const OF_THE_SHELL: [(&str, &str); 20] = [
    ("PGAPPNAME", "of the shell"),
    ("PGCLIENTENCODING", "nonsense"),
    ("PGDATA", "/nowhere"),
    ("PGDATABASE", "nowhere"),
    ("PGDATESTYLE", "nonsense"),
    ("PGGSSENCMODE", "require"),
    ("PGHOST", "nowhere.invalid"),
    ("PGHOSTADDR", "192.0.2.1"),
    ("PGOPTIONS", "-c nonsense=1"),
    ("PGPASSFILE", "/nowhere"),
    ("PGPASSWORD", "of the shell"),
    ("PGPORT", "1"),
    ("PGREQUIREAUTH", "none"),
    ("PGSERVICE", "nowhere"),
    ("PGSSLMODE", "verify-full"),
    ("PGSSLROOTCERT", "/nowhere"),
    ("PGTARGETSESSIONATTRS", "standby"),
    ("PGTZ", "nowhere"),
    ("PGUSER", "nobody"),
    ("REDISCLI_AUTH", "of the shell"),
];

fn is_deaf_to_the_shell(part: &str, way: &str) {
    let lab = Lab::new();
    let mut actor = lab.actor(part, "pass");
    actor.envs(OF_THE_SHELL).env("TESTENV_PROVIDER", way);

    let passed = actor.status().unwrap().success();

    assert!(passed);
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn variables_of_the_shell_do_not_reach_a_postgresql_in_a_container() {
    is_deaf_to_the_shell("dump", "docker");
}

#[test]
fn variables_of_the_shell_do_not_reach_a_native_postgresql() {
    is_deaf_to_the_shell("dump", "native");
}

#[test]
fn variables_of_the_shell_do_not_reach_redis() {
    is_deaf_to_the_shell("redis", "docker");
    is_deaf_to_the_shell("redis", "native");
}

#[test]
fn a_program_that_dumps_is_told_the_password_by_a_file() {
    let (lab, bin) = (Lab::new(), tempfile::tempdir().unwrap());
    // Before the real one in the PATH; it tells what it was told, and is the real one.
    let spy = bin.path().join("pg_dump");
    let script = r#"#!/bin/sh
[ "$1" = --version ] || { env; echo "$@"; ls -l "$PGPASSFILE"; } > "$SPY"
PATH=${PATH#*:} exec pg_dump "$@""#;
    std::fs::write(&spy, script).unwrap();
    std::fs::set_permissions(&spy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let programs = testenv::tools::POSTGRES.native_programs().unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = [bin.path(), Path::new(&path), programs[0].parent().unwrap()];
    let told = bin.path().join("told");
    let mut actor = lab.actor("dump", "wait");
    let vars = [("TESTENV_PROVIDER", "native"), ("TESTENV_RUN_ID", RUN)];
    actor.envs(vars).env("PATH", path.map(|dir| dir.to_str().unwrap()).join(":"));

    let mut test = actor.env("SPY", &told).spawn().unwrap();
    assert_eq!(lab::line(&mut test), "dump");

    let run = lab.base().join(RUN);
    let secret = password(&std::fs::read_to_string(run.join("postgres.json")).unwrap());
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("-rw------- ") && told.contains("PGPASSFILE="), "{told}");
    assert!(!told.contains(&secret), "{told}");
    let left: Vec<PathBuf> =
        files(&run).into_iter().filter(|it| it.to_string_lossy().contains("pgpass")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    drop(test.stdin.take());
    assert!(test.wait().unwrap().success());
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn no_error_about_a_given_server_holds_its_password() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (part, var, url) in [
        ("postgres", "TESTENV_POSTGRES_URL", format!("postgres://app:hunter2@{closed}/db")),
        ("postgres", "TESTENV_POSTGRES_URL", "postgres://app:hunter2@h:port/db".into()),
        ("redis", "TESTENV_REDIS_URL", format!("redis://app:hunter2@{closed}")),
        ("redis", "TESTENV_REDIS_URL", "redis://app:hun/ter2@hunter2@h".into()),
        ("topic", "TESTENV_KAFKA_BROKERS", format!("app:hunter2@{closed}")),
    ] {
        let lab = Lab::new();

        let (said, took) = complaint(&lab, part, &[(var, &url)]);

        assert!(said.contains(var) && said.contains("to fix: correct"), "{said}");
        assert!(!said.contains("hun") && !said.contains("ter2"), "{said}");
        assert!(took < Duration::from_secs(2), "{took:?}: {said}");
        lab.expect_nothing_left(PROMISED);
    }
}
