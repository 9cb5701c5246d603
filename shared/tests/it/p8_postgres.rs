//! P8 for PostgreSQL: everything missing or wrong is reported within two seconds, with the cure.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::lab::engine::{docker, labelled};
use crate::lab::{self, Lab, PROMISED, complaint, expect_complaint};

fn expect(vars: &[(&str, &str)], words: &[&str]) {
    expect_complaint("postgres", vars, words);
}

#[test]
pub(crate) fn a_url_that_leads_nowhere() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    expect(
        &[("TESTENV_POSTGRES_URL", &format!("postgres://u:p@{free}/postgres"))],
        &["TESTENV_POSTGRES_URL", "refused", "to fix: correct TESTENV_POSTGRES_URL"],
    );
}

#[test]
fn a_url_whose_server_is_no_postgresql() {
    let lab = Lab::new();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u:p@{}/postgres", mute.local_addr().unwrap());
    let start = Instant::now();
    let mut actor = lab.actor("postgres", "pass");
    actor.env("TESTENV_POSTGRES_URL", &url).stderr(Stdio::piped());
    let mut actor = actor.spawn().unwrap();

    let mut said = BufReader::new(actor.stderr.take().unwrap()).lines().map(Result::unwrap);
    let first = said.find(|line| line.contains("no answer within"));
    let told = start.elapsed();
    let rest: Vec<String> = said.collect();

    assert!(first.is_some() && told < Duration::from_secs(2), "{first:?} after {told:?}");
    assert!(!actor.wait().unwrap().success() && start.elapsed() < Duration::from_secs(9));
    let cure = "to fix: correct TESTENV_POSTGRES_URL";
    assert!(rest.iter().any(|line| line.contains(cure)), "{rest:?}");
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_server_that_is_too_old() {
    let old = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u:p@{}/postgres", old.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in old.incoming() {
            greet_as(stream.unwrap(), "12.22");
        }
    });

    expect(
        &[("TESTENV_POSTGRES_URL", &url)],
        &["it is version 12; 13 is the oldest", "to fix: correct TESTENV_POSTGRES_URL"],
    );
}

/// The first words of a server, chapter "Message Formats" of its manual: no TLS; you are in; my version; your turn.
fn greet_as(stream: TcpStream, version: &str) {
    let message = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind][..], &length.to_be_bytes(), body].concat()
    };
    // The length of a client's first messages leads them.
    let hear = || {
        let mut length = [0; 4];
        (&stream).read_exact(&mut length)?;
        let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
        (&stream).read_exact(&mut rest)?;
        std::io::Result::Ok(rest)
    };
    const SSL_REQUEST: [u8; 4] = [4, 210, 22, 47];
    while hear().is_ok_and(|words| {
        let says = if words == SSL_REQUEST {
            b"N".to_vec()
        } else {
            let about = format!("server_version\0{version}\0");
            [message(b'R', &[0; 4]), message(b'S', about.as_bytes()), message(b'Z', b"I")].concat()
        };
        (&stream).write_all(&says).is_ok()
    }) {}
}

#[test]
fn a_text_that_is_no_url() {
    expect(
        &[("TESTENV_POSTGRES_URL", "nonsense")],
        &["`nonsense`", "to fix: correct TESTENV_POSTGRES_URL"],
    );
}

#[test]
pub(crate) fn neither_url_nor_docker_nor_programs() {
    let vars = [("DOCKER_HOST", "unix:///nonexistent"), ("TESTENV_PROVIDER", "docker")];

    expect(
        &vars,
        &["TESTENV_POSTGRES_URL: not set", "No such file", "to fix: correct DOCKER_HOST="],
    );
}

#[test]
fn a_wrong_password_and_a_user_without_the_right() {
    let theirs = Lab::new();
    let mut owner = theirs.actor("given postgres", "wait").spawn().unwrap();
    let url = lab::line(&mut owner);
    // A lab each: a run does not try again what failed once.
    let (one, other) = (Lab::new(), Lab::new());

    let (wrong, _) =
        complaint(&one, "postgres", &[("TESTENV_POSTGRES_URL", &url.replace("sesame", "barley"))]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.unwrap();
        let role = "CREATE ROLE guest LOGIN PASSWORD 'guest'";
        sqlx::raw_sql(role).execute(&mut connection).await.unwrap();
    });
    let guest = url.replace("postgres:open%20sesame", "guest:guest");
    let (guest, _) = complaint(&other, "postgres", &[("TESTENV_POSTGRES_URL", &guest)]);

    assert!(
        wrong.contains("password authentication failed")
            && wrong.contains("to fix: correct TESTENV_POSTGRES_URL"),
        "{wrong}"
    );
    assert!(
        guest.contains("may not create databases") && guest.contains("to fix: ALTER ROLE"),
        "{guest}"
    );
    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}

#[test]
fn a_server_that_dies_is_said_within_seconds_and_the_next_run_works() {
    let lab = Lab::new();
    let mut test =
        lab.actor("postgres, again and again", "wait").stderr(Stdio::piped()).spawn().unwrap();
    lab::line(&mut test);
    let containers = labelled("container", "testenv.owner", &lab.base().display().to_string());
    let id = containers[0].split_whitespace().nth(1).unwrap().to_owned();
    let start = Instant::now();

    docker(&["kill", &id]);

    let output = test.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && start.elapsed() < Duration::from_secs(12),
        "{:?}: {said}",
        start.elapsed()
    );
    let next = lab.actor("postgres", "pass").env("TESTENV_RUN_ID", "next").status().unwrap();
    assert!(next.success());
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_full_disk_is_said_and_tests_have_the_room_that_copies_might_have() {
    let (theirs, ours) = (Lab::new(), Lab::new());
    let mut owner = theirs.actor("small postgres", "wait").spawn().unwrap();
    let url = lab::line(&mut owner);
    let run = |part: &str| {
        let mut actor = ours.actor(part, "pass");
        actor.env("TESTENV_POSTGRES_URL", &url).stderr(Stdio::piped());
        let output = actor.output().unwrap();
        ours.expect_nothing_left(PROMISED);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };

    let (passed, had, said) = run("postgres, more and more");
    let (next_passed, _, next_said) = run("postgres");

    assert!(!passed && said.contains("No space left on device"), "{said}");
    assert!(said.contains("to fix: make room on the disk of the server's data"), "{said}");
    let had: usize = had.lines().last().unwrap().parse().unwrap();
    assert!(had >= 5, "{had} databases");
    assert!(next_passed, "{next_said}");
    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}
