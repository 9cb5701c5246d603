//! A pooler before a given PostgreSQL: refused by that word, with what to set.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::given::Given;
use crate::lab::expect_complaint;

/// Whether a pooler takes the settings that clients send with their name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settings {
    Taken,
    Refused,
}

/// A pooler in transaction mode that has one session of the server for all its clients. Each client
/// logs in at the server itself.
fn pooler(server: String, settings: Settings) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pooled = Arc::new(Mutex::new(None));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (pooled, server) = (pooled.clone(), server.clone());
            std::thread::spawn(move || serve(client, &server, settings, &pooled).ok());
        }
    });
    port
}

fn serve(
    mut client: TcpStream,
    server: &str,
    settings: Settings,
    pooled: &Mutex<Option<TcpStream>>,
) -> io::Result<()> {
    let mut first = untyped(&mut client)?;
    if first.len() == 8 {
        client.write_all(b"N")?; // it asked for TLS
        first = untyped(&mut client)?;
    }
    if settings == Settings::Refused {
        let fields = b"SFATAL\0C08P01\0Munsupported startup parameter: extra_float_digits\0\0";
        let length = u32::try_from(fields.len() + 4).unwrap();
        return client.write_all(&[b"E", &length.to_be_bytes()[..], fields].concat());
    }
    let mut own = TcpStream::connect(server)?;
    own.write_all(&first)?;
    loop {
        let answer = message(&mut own)?;
        client.write_all(&answer)?;
        match (answer[0], answer.get(8)) {
            (b'Z', _) => break,
            // Neither "you are in" nor the server's last word of SCRAM.
            (b'R', Some(what)) if ![0, 12].contains(what) => {
                own.write_all(&message(&mut client)?)?;
            }
            _ => {}
        }
    }
    pooled.lock().unwrap().get_or_insert(own);
    loop {
        let mut asked = Vec::new();
        while !matches!(asked.last(), Some((b'Q' | b'S', _))) {
            let message = message(&mut client)?;
            asked.push((message[0], message));
        }
        let mut pooled = pooled.lock().unwrap();
        let session = pooled.as_mut().expect("its first client has put it there");
        asked.iter().try_for_each(|(_, message)| session.write_all(message))?;
        loop {
            let answer = message(session)?;
            client.write_all(&answer)?;
            if answer[0] == b'Z' {
                break;
            }
        }
    }
}

/// A message of PostgreSQL's protocol, which begins with its type and its length.
fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut of_type = [0];
    stream.read_exact(&mut of_type)?;
    Ok([&of_type[..], &untyped(stream)?].concat())
}

fn untyped(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut rest)?;
    Ok([&length[..], &rest].concat())
}

#[test]
fn a_pooler_in_transaction_mode_is_refused_by_that_word() {
    let given = Given::start();
    let (before, rest) = given.url.split_once('@').unwrap();
    let (server, after) = rest.split_once('/').unwrap();

    for (settings, words) in [
        (Settings::Taken, "a pooler answers there in transaction mode, as PgBouncer does"),
        (Settings::Refused, "unsupported startup parameter: extra_float_digits"),
    ] {
        let port = pooler(server.to_owned(), settings);
        let url = format!("{before}@127.0.0.1:{port}/{after}");
        let cure = "to fix: in the pooler's settings: pool_mode = session";
        let words = [words, cure, "to fix: name the server itself"];
        expect_complaint("postgres", &[("TESTENV_POSTGRES_URL", &url)], &words);
    }
    given.end();
}
