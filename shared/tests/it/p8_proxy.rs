//! P8 for Toxiproxy: everything wrong with a given server, or with an upstream, is reported within
//! two seconds, with the cure.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::lab::{Lab, PROMISED, complaint, expect_complaint};
use crate::p4_proxy::Given;

const VAR: &str = "TESTENV_TOXIPROXY_URL";

fn expect(url: &str, words: &[&str]) {
    expect_complaint("proxy", &[(VAR, url)], words);
}

/// A server that answers every question with this text.
fn says(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let length = text.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}");
            if stream.read(&mut [0; 1024]).is_ok() {
                stream.write_all(answer.as_bytes()).ok();
            }
        }
    });
    url
}

#[test]
pub(crate) fn a_toxiproxy_url_that_leads_nowhere() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    expect(&format!("http://{free}"), &[VAR, "refused", "to fix: correct TESTENV_TOXIPROXY_URL"]);
}

#[test]
fn a_toxiproxy_url_whose_server_is_mute() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();

    let url = format!("http://{}", mute.local_addr().unwrap());

    expect(&url, &["no answer in time", "to fix: `unset TESTENV_TOXIPROXY_URL`"]);
}

#[test]
fn a_toxiproxy_url_of_another_kind() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    expect(&format!("redis://{other}"), &["Toxiproxy URL did not parse", "to fix: export"]);
    expect(&format!("https://{other}"), &["TLS", "to fix: export"]);
    let words = ["it answers, but not as Toxiproxy does: `<html>hello`", "to fix: export"];
    expect(&says("<html>hello"), &words);
}

#[test]
pub(crate) fn a_toxiproxy_of_another_version() {
    for (said, version) in [
        ("2.1.4", "2.1.4"),
        (r#"{"version": "1.0"}"#, "1.0"),
        (r#"{"version": "3.0.0"}"#, "3.0.0"),
        // As 2.5 and 2.6 say it.
        (r#"{"version": "2.0.0"}\n"#, "2.0.0"),
    ] {
        let words = format!("it is {version}, and 2.x from 2.2 on is needed");
        expect(&says(said), &[&words, "to fix: export TESTENV_TOXIPROXY_URL=http://"]);
    }
}

#[test]
fn a_given_toxiproxy_whose_ports_are_those_of_its_container() {
    let given = Given::start(("TESTENV_PROVIDER", "docker"));
    let theirs = crate::p4_proxy::names(&given.url);

    expect(&given.url, &["cannot be reached", "to fix: start it so that all its ports"]);

    assert_eq!(crate::p4_proxy::names(&given.url), theirs);
    given.end();
}

#[test]
fn an_upstream_that_a_container_cannot_reach() {
    let lab = Lab::new();

    let (said, _) = complaint(&lab, "proxy to itself", &[("TESTENV_PROVIDER", "docker")]);

    assert!(said.contains("Toxiproxy cannot reach 127.0.0.1:"), "{said}");
    assert!(said.contains("to fix: export TESTENV_PROVIDER=native"), "{said}");
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_process_reaches_what_a_container_cannot_and_uses_no_proxy_of_the_environment() {
    let lab = Lab::new();
    let mut test = lab.actor("proxy to itself", "pass");
    test.env("TESTENV_PROVIDER", "native");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        test.env(name, "http://127.0.0.1:1");
    }

    assert!(test.status().unwrap().success());
    lab.expect_nothing_left(PROMISED);
}
