//! Addresses as people write them.

use super::{Address, Dialect, Form};
use crate::service::{KAFKA, POSTGRES, REDIS};

fn whole(dialect: &'static Dialect, text: &str) -> String {
    Address::read(dialect, text).map_or_else(|why| why, |address| address.whole())
}

/// The same for a PostgreSQL, as `user password place database`.
fn parts(text: &str) -> String {
    match Address::read(&POSTGRES.dialect, text) {
        Err(why) => why,
        Ok(it) => {
            let (user, password) = (it.user.unwrap_or_default(), it.password.unwrap_or_default());
            format!("{user} {password} {} {}", it.places[0], it.database.unwrap_or_default())
        }
    }
}

#[test]
fn what_a_postgresql_url_leaves_out_is_the_usual() {
    let whole = |text| whole(&POSTGRES.dialect, text);

    assert_eq!(whole("postgres://user:password@host/db"), "postgres://user:password@host:5432/db");
    assert_eq!(whole("postgresql://host"), "postgresql://host:5432/postgres");
    assert_eq!(whole("POSTGRES://u@h:/db"), "postgres://u@h:5432/db");
    assert_eq!(whole(" postgres://u:p@h:6432/db\n"), "postgres://u:p@h:6432/db");
    assert_eq!(whole("postgres://u@[::1]/db"), "postgres://u@[::1]:5432/db");
    assert_eq!(whole("postgres://u@[::1]:6432"), "postgres://u@[::1]:6432/postgres");
    assert_eq!(
        whole("postgres://h/db?sslmode=disable&application_name=a%20b"),
        "postgres://h:5432/db?sslmode=disable&application_name=a%20b"
    );
}

#[test]
fn what_a_parameter_says_is_part_of_the_address() {
    assert_eq!(
        parts("postgres://?host=h&port=1&dbname=d&user=u&password=p%2Bq+r"),
        "u p+q+r h:1 d"
    );
    assert_eq!(
        parts("postgres://u@h/d?hostaddr=127.0.0.1&user=me@corp"),
        "me@corp  127.0.0.1:5432 d"
    );
    assert_eq!(parts("postgres://h/d?password=p@ss"), " p@ss h:5432 d");
}

#[test]
fn a_socket_is_written_in_each_way_that_psql_knows() {
    let whole = |text| whole(&POSTGRES.dialect, text);

    let socket = "postgres://u:p@%2Frun%2Fpg:5432/db";
    assert_eq!(whole("postgres://u:p@/db?host=/run/pg"), socket);
    assert_eq!(whole("postgres://u:p@%2Frun%2Fpg/db"), socket);
    assert_eq!(whole(socket), socket);
    assert_eq!(whole("postgres:///db?host=/run/pg&port=1"), "postgres://%2Frun%2Fpg:1/db");
}

#[test]
fn a_password_may_be_typed_as_it_is_where_there_is_one_way_to_read_it() {
    for (typed, meant) in [
        ("p@ss", "p@ss"),
        ("p%40ss", "p@ss"),
        ("@:@", "@:@"),
        ("a:b", "a:b"),
        ("a/b", "a/b"),
        ("a?b", "a?b"),
        ("a#b", "a#b"),
        ("a/b?c#d", "a/b?c#d"),
        ("a,b", "a,b"),
        ("50%", "50%"),
        ("50%25", "50%"),
        ("%zz%", "%zz%"),
        ("open sesame", "open sesame"),
        ("ö€", "ö€"),
        ("[x]{y}|\\^`\"<>'$&+;=!*()", "[x]{y}|\\^`\"<>'$&+;=!*()"),
    ] {
        let read = format!("me {meant} h:5432 db");

        assert_eq!(parts(&format!("postgres://me:{typed}@h/db")), read);
        // And so reads whoever is given the whole.
        let whole = whole(&POSTGRES.dialect, &format!("postgres://me:{typed}@h/db"));
        assert_eq!(parts(&whole), read);
        let redis = Address::read(&REDIS.dialect, &format!("redis://me:{typed}@h/3")).unwrap();
        assert_eq!(redis.password.as_deref(), Some(meant));
    }
}

#[test]
fn a_password_that_can_be_read_in_two_ways_is_refused_with_what_to_quote() {
    for (text, code) in [
        ("postgres://u:hun@ter2/hun@ter2@h/db", "%2F"),
        ("postgres://u:hun@ter2?hun=ter2@h/db", "%3F"),
        ("postgres://u:hunter2/@hunter2@h/db", "%2F"),
        ("postgres://u:2222/hunter2@h/db", "%2F"),
        ("postgres://u:2222#hunter2@h/db", "%23"),
        ("postgres://u:2222?hunter2@h/db", "%3F"),
        ("postgres://u:hunter2#", "%23"),
        ("postgres://u:%ffhunter2@h/db", "%25"),
        ("redis://u:2222/hunter2@h/3", "%2F"),
    ] {
        let dialect = if text.starts_with("redis") { &REDIS.dialect } else { &POSTGRES.dialect };
        let why = whole(dialect, text);

        assert!(why.contains("did not parse") && why.contains(code), "{text}: {why}");
        assert!(!why.contains("hun") && !why.contains("ter2") && !why.contains("222"), "{why}");
    }
}

#[test]
fn an_error_for_a_text_that_is_no_address_holds_no_secret() {
    for text in [
        "postgres://app:hunter2",
        "postgres://app:hunter2@h:port/db",
        "postgres://app:hunter2@h1:1,h2:2/db",
        "postgres://app:hunter2@h/db?hunter2",
        "postgres://app:hunter2@h/db?port=hunter2",
        "postgres://app:hunter2@[::1/db",
        "mysql://app:hunter2@h/db",
        "app:hunter2@h/db",
        "host=h user=app password=hunter2",
        "app:hunter2",
        "app:hunter2://h",
        "'postgres://app:hunter2@h/db'",
        "redis://:hunter2@",
        "redis://:hunter2@h/hunter2",
        "unix://hunter2/socket?pass=hunter2",
        "rediss://:hunter2@h",
        "broker:9092,app:hunter2@h:9092",
    ] {
        for dialect in [&POSTGRES.dialect, &REDIS.dialect, &KAFKA.dialect] {
            let Err(why) = Address::read(dialect, text) else { panic!("{dialect:?}: {text}") };

            assert!(why.contains("did not parse"), "{why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
    assert!(whole(&POSTGRES.dialect, "nonsense").contains("`nonsense`"));
}

#[test]
fn what_is_printed_of_an_address_hides_its_secrets() {
    let given = "postgres://app:hunter2@h/db?sslmode=disable&sslpassword=hunter2&a=hunter2";
    let address = Address::read(&POSTGRES.dialect, given).unwrap();
    let shown = "postgres://app:***@h:5432/db?sslmode=disable&sslpassword=***&a=***";

    assert_eq!(address.to_string(), shown);
    assert_eq!(format!("{address:?}"), format!("Address({shown})"));
    assert_eq!(address.whole(), given.replace("@h/", "@h:5432/"));
    for given in ["redis://:hunter2@h", "unix:///run/redis.sock?pass=hunter2"] {
        let address = Address::read(&REDIS.dialect, given).unwrap();
        assert_eq!(format!("{address} {address:?}").matches("***").count(), 2, "{address}");
        assert!(!format!("{address} {address:?}").contains("hunter2"), "{address}");
    }
}

#[test]
fn a_redis_is_named_in_each_way_that_its_client_knows() {
    let whole = |text| whole(&REDIS.dialect, text);

    assert_eq!(whole("redis://localhost"), "redis://localhost:6379");
    assert_eq!(whole("redis://[::1]/2?protocol=resp3"), "redis://[::1]:6379/2?protocol=resp3");
    assert_eq!(whole("redis://me:p%40ss@cache:1/"), "redis://me:p%40ss@cache:1");
    assert_eq!(whole("valkey://:p@h"), "valkey://:p@h:6379");
    assert_eq!(whole("redis+unix:///run/redis.sock"), "redis+unix:///run/redis.sock");
    assert_eq!(whole("unix:///a%20b?db=3&pass=p@ss"), "unix:///a%20b?db=3&pass=p%40ss");
    assert!(whole("rediss://h").contains("TLS"));
}

#[test]
fn brokers_are_a_list_with_spaces_numbers_and_without_ports() {
    let whole = |text| whole(&KAFKA.dialect, text);

    assert_eq!(whole("a:1,b:2"), "a:1,b:2");
    assert_eq!(whole(" a , b:2,\n"), "a:9092,b:2");
    assert_eq!(whole("[::1]:9093, [::1],::1"), "[::1]:9093,[::1]:9092,[::1]:9092");
    assert_eq!(whole("PLAINTEXT://a:1"), "a:1");
    assert!(whole("SASL_SSL://a:1").contains("TLS"));
    for wrong in ["", ",", "a b", "a:port", "a:0", "a:99999", ":9092", "[a]:1", "a/b"] {
        assert!(whole(wrong).contains("did not parse"), "{wrong}");
    }
}

#[test]
fn a_url_of_the_harness_is_read_as_it_was_written() {
    for url in [
        "postgres://postgres:0f@127.0.0.1:32768/postgres?sslmode=disable",
        "redis://:0f@127.0.0.1:32768",
    ] {
        let dialect = if url.starts_with("redis") { &REDIS.dialect } else { &POSTGRES.dialect };
        assert_eq!(whole(dialect, url), url);
    }
}

#[test]
fn a_service_over_http_is_a_host_and_a_port() {
    static HTTP: Dialect = Dialect {
        name: "Example",
        port: 8474,
        example: "http://<host>:<port>",
        schemes: &["http"],
        tls: &["https"],
        client_has_tls: false,
        form: Form::Http,
    };
    let whole = |text| whole(&HTTP, text);

    assert_eq!(whole("http://localhost"), "http://localhost:8474");
    assert_eq!(whole(" HTTP://[::1]:80/\n"), "http://[::1]:80");
    assert_eq!(whole("http://127.0.0.1:4566"), "http://127.0.0.1:4566");
    assert!(whole("https://h").contains("TLS"));
    for wrong in ["", "h:1", "http://", "http://h/bucket", "http://h?a=b", "http://h:0x", "ftp://h"]
    {
        assert!(whole(wrong).contains("did not parse"), "{wrong}: {}", whole(wrong));
    }
    for secret in ["http://key:hunter2@h", "http://hunter2@h:1/", "http://h/?key=hunter2"] {
        assert!(!whole(secret).contains("hunter2"), "{}", whole(secret));
    }
}
