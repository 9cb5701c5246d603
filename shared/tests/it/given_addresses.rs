//! The addresses of given servers, as people write them, lead to the server: with any password,
//! over a port or a socket.

use std::io;
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use sqlx::{Connection, PgConnection};

use crate::lab::{self, Lab, PROMISED};
use crate::p4_redis::Given;

/// All that has a meaning in a URL, in a password file or in a shell.
const PASSWORD: &str = r#"a:b/c,d%?#[\ "$`é"#;

fn passes(part: &str, var: &str, url: &str) {
    let lab = Lab::new();

    let passed = lab.actor(part, "pass").env(var, url).status().unwrap().success();

    assert!(passed, "{url}");
    lab.expect_nothing_left(PROMISED);
}

/// Serves a socket in the file system with the server at a port.
fn relay(socket: &Path, port: String) {
    let listener = UnixListener::bind(socket).unwrap();
    let copy = |mut from: UnixStream, mut to: TcpStream| {
        let (mut back, mut answers) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        // Either side's end is the end of the other.
        std::thread::spawn(move || {
            drop(io::copy(&mut answers, &mut back));
            back.shutdown(std::net::Shutdown::Both)
        });
        std::thread::spawn(move || {
            drop(io::copy(&mut from, &mut to));
            to.shutdown(std::net::Shutdown::Both)
        });
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            copy(stream, TcpStream::connect(&port).unwrap());
        }
    });
}

fn quoted(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test]
async fn a_postgresql_is_found_however_its_address_is_written() {
    let (theirs, dir) = (Lab::new(), tempfile::tempdir().unwrap());
    let mut owner = theirs.actor("given postgres", "wait").spawn().unwrap();
    let url = lab::line(&mut owner);
    let mut admin = PgConnection::connect(&url).await.unwrap();
    let role = format!("CREATE ROLE \"me@corp\" LOGIN CREATEDB PASSWORD '{PASSWORD}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(role)).execute(&mut admin).await.unwrap();
    let at = url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0;
    relay(&dir.path().join(".s.PGSQL.6543"), at.to_owned());
    let (socket, password) = (dir.path().display(), quoted(PASSWORD));

    for (part, url) in [
        // The program that dumps is given the same.
        ("dump", format!("postgresql://me%40corp:{PASSWORD}@{at}/postgres?sslmode=disable\n")),
        ("postgres", format!("postgres://{at}?user=me@corp&password={password}")),
        (
            "postgres",
            format!(
                "postgres:///postgres?host={socket}&port=6543&user=me@corp&password={password}"
            ),
        ),
        ("dump", format!("postgres://me%40corp:{password}@{}:6543", quoted(&socket.to_string()))),
    ] {
        passes(part, "TESTENV_POSTGRES_URL", &url);
    }

    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}

#[test]
fn a_redis_is_found_however_its_address_is_written() {
    let (given, dir) = (Given::start(), tempfile::tempdir().unwrap());
    let set = redis::cmd("ACL").arg(&["SETUSER", "me@corp", "on", "~*", "&*", "+@all"]).to_owned();
    set.clone().arg(format!(">{PASSWORD}")).exec(&mut given.open(0)).unwrap();
    let at = given.url.rsplit_once('@').unwrap().1.to_owned();
    let socket = dir.path().join("redis.sock");
    relay(&socket, at.clone());
    let (socket, password) = (socket.display(), quoted(PASSWORD));

    for url in [
        format!(" redis://me%40corp:{PASSWORD}@{at}/"),
        format!("redis+unix://{socket}?user=me%40corp&pass={password}"),
        format!("unix://{socket}?pass=open+sesame"),
    ] {
        passes("redis", "TESTENV_REDIS_URL", &url);
    }

    given.end();
}

#[test]
fn brokers_are_found_however_their_list_is_written() {
    let theirs = Lab::new();
    let mut owner = theirs.actor("topic", "wait").env("TESTENV_RUN_ID", "theirs").spawn().unwrap();
    lab::line(&mut owner);
    let broker = theirs.address_of("theirs", "kafka");

    passes("topic", "TESTENV_KAFKA_BROKERS", &format!(" 127.0.0.1:1 , PLAINTEXT://{broker},\n"));

    drop(owner.stdin.take());
    owner.wait().unwrap();
    theirs.expect_nothing_left(PROMISED);
}
