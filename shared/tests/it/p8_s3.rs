//! P8 for S3: everything wrong with a given server is reported within two seconds, with the cure.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::lab::{Lab, PROMISED, expect_complaint};
use crate::p4_s3::Given;

const VAR: &str = "TESTENV_S3_ENDPOINT";

fn expect(endpoint: &str, words: &[&str]) {
    let vars =
        [(VAR, endpoint), ("AWS_ACCESS_KEY_ID", "hunter1"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
    expect_complaint("bucket", &vars, words);
}

/// Something that gives every request this answer.
fn answering(head: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The head of a request; who only looks whether somebody listens sends none.
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).ok(); // who only looked is gone
        }
    });
    endpoint
}

#[test]
pub(crate) fn an_endpoint_that_leads_nowhere() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    expect(&format!("http://{free}"), &["refused", "to fix: correct TESTENV_S3_ENDPOINT"]);
    expect("127.0.0.1:4566", &["does not begin with http://"]);
    expect("https://127.0.0.1:4566", &["TLS"]);
    expect("http://key:hunter2@127.0.0.1:4566", &["no user or password"]);
}

#[test]
fn an_endpoint_that_is_mute() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();

    let endpoint = format!("http://{}", mute.local_addr().unwrap());
    expect(&endpoint, &["no answer within 1100 ms", "`unset TESTENV_S3_ENDPOINT`"]);
}

#[test]
fn an_endpoint_of_another_kind() {
    expect(
        &answering("200 OK", "<html>hello</html>"),
        &["not as S3 does", "correct TESTENV_S3_ENDPOINT"],
    );
    expect(&answering("404 Not Found", "not found"), &["HTTP 404", "correct TESTENV_S3_ENDPOINT"]);
}

#[test]
fn an_endpoint_that_redirects() {
    let moved = "301 Moved Permanently\r\nlocation: http://elsewhere:9000/";
    expect(&answering(moved, ""), &["HTTP 301", "redirects: http://elsewhere:9000/"]);
    let region = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
    expect(
        &answering("301 Moved Permanently", region),
        &["PermanentRedirect: elsewhere", "to fix: export AWS_REGION="],
    );
}

#[test]
fn credentials_that_are_refused() {
    let unknown = "<Error><Code>InvalidAccessKeyId</Code><Message>unknown</Message></Error>";
    expect(
        &answering("403 Forbidden", unknown),
        &["InvalidAccessKeyId: unknown", "to fix: correct AWS_ACCESS_KEY_ID"],
    );
    // Who may not list all buckets may still create one; this user may not.
    let denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    expect(
        &answering("403 Forbidden", denied),
        &["made no bucket", "AccessDenied: no", "to fix: give the user of AWS_ACCESS_KEY_ID"],
    );
}

#[test]
pub(crate) fn credentials_that_are_missing() {
    let endpoint = answering("200 OK", "");
    let given = |key, secret| {
        let vars = [
            (VAR, endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ];
        let words = [
            "no credentials for the S3 server of TESTENV_S3_ENDPOINT",
            "to fix: export AWS_ACCESS_KEY_ID=",
        ];
        expect_complaint("bucket", &vars, &words);
    };
    given("", "");
    given("key", " ");
}

#[test]
fn a_proxy_of_the_environment_is_not_asked() {
    let given = Given::start();
    let lab = Lab::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", nobody.local_addr().unwrap());

    let mut test = lab.actor("bucket", "pass");
    test.envs(given.vars());
    test.envs(["HTTP_PROXY", "http_proxy", "ALL_PROXY"].map(|var| (var, &proxy)));

    assert!(test.status().unwrap().success());
    lab.expect_nothing_left(PROMISED);
    given.expect_only_theirs();
    given.end();
}
