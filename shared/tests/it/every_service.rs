//! The promises for every service, tested for each service in the same way. A new service adds a
//! line to [`SUBJECTS`].

use std::pin::pin;
use std::process::Stdio;
use std::task::{Context, Waker};

use testenv::tools::{KAFKA, POSTGRES, REDIS, S3, Service, TOXIPROXY};

use crate::echo::Echo;
use crate::lab::engine::published;
use crate::lab::{self, Lab, PROMISED, listeners};

/// A service, and how a test of it is played.
pub(crate) struct Subject {
    pub(crate) service: &'static Service,
    /// The part of an actor.
    pub(crate) part: &'static str,
    /// Ways in which a server of ours is provided.
    ways: &'static [&'static str],
    /// What is in the line that opens what a failed test left.
    opens: &'static str,
    /// Asks for what a test is given, outside a runtime.
    ask: fn(),
    /// Has it in a runtime, and drops it when that is gone.
    drop_late: fn(),
    /// What a server of ours says to somebody who does not know its password; nothing where it has none.
    stranger: Option<fn(&str) -> String>,
    /// What tests have made on the server of an address, by name.
    pub(crate) content: fn(&str) -> Vec<String>,
}

pub(crate) const SUBJECTS: &[Subject] = &[
    Subject {
        service: &POSTGRES,
        part: "postgres",
        ways: &["docker", "native"],
        opens: "psql 'postgres://",
        ask: || ask(testenv::fresh_db()),
        drop_late: || drop_late(testenv::fresh_db()),
        stranger: Some(|place| {
            let url = format!("postgres://postgres:guess@{place}/postgres");
            let login = runtime().block_on(<sqlx::PgConnection as sqlx::Connection>::connect(&url));
            login.err().map_or_else(String::new, |error| error.to_string())
        }),
        content: |address| {
            runtime().block_on(async {
                let names = "SELECT datname::text FROM pg_database WHERE datname ~ '^test_'";
                let mut admin =
                    <sqlx::PgConnection as sqlx::Connection>::connect(address).await.unwrap();
                sqlx::query_scalar(names).fetch_all(&mut admin).await.unwrap()
            })
        },
    },
    Subject {
        service: &REDIS,
        part: "redis",
        ways: &["docker", "native"],
        opens: "redis-cli -u redis://",
        ask: || ask(testenv::fresh_redis()),
        drop_late: || drop_late(testenv::fresh_redis()),
        stranger: Some(|place| {
            let client = redis::Client::open(format!("redis://{place}")).unwrap();
            let size = redis::cmd("DBSIZE").exec(&mut client.get_connection().unwrap());
            size.err().map_or_else(String::new, |error| error.to_string())
        }),
        content: |address| {
            let mut server = redis::Client::open(address).unwrap().get_connection().unwrap();
            let info: String = redis::cmd("INFO").arg("keyspace").query(&mut server).unwrap();
            info.lines().filter(|line| line.starts_with("db")).map(str::to_owned).collect()
        },
    },
    Subject {
        service: &KAFKA,
        part: "topic",
        ways: &["docker"],
        opens: "kafka-console-consumer.sh --from-beginning",
        ask: || ask(testenv::fresh_topic()),
        drop_late: || {
            drop_late(async {
                let topic = testenv::fresh_topic().await;
                topic.send("so that there is a client").await.unwrap();
                topic
            });
        },
        stranger: None,
        content: |address| crate::p4_given_servers::topics(address).into_iter().collect(),
    },
    Subject {
        service: &S3,
        part: "bucket",
        ways: &["docker"],
        opens: "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test",
        ask: || ask(testenv::fresh_bucket()),
        drop_late: || drop_late(testenv::fresh_bucket()),
        stranger: None,
        content: crate::p4_s3::buckets,
    },
    Subject {
        service: &TOXIPROXY,
        part: "proxy",
        ways: &["docker", "native"],
        opens: "curl http://127.0.0.1:",
        ask: || ask(testenv::fresh_proxy("127.0.0.1:9")),
        drop_late: || {
            let upstream = Echo::start();
            drop_late(testenv::fresh_proxy(upstream.address));
        },
        stranger: None,
        content: crate::p4_proxy::names,
    },
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn ask(fresh: impl Future) {
    let _refused_before = pin!(fresh).poll(&mut Context::from_waker(Waker::noop())).is_ready();
}

fn drop_late(fresh: impl Future) {
    let runtime = runtime();
    let given = runtime.block_on(fresh);
    drop(runtime);
    drop(given);
}

/// P6.
#[test]
pub(crate) fn a_failed_test_hands_over_the_next_commands() {
    for subject in SUBJECTS {
        let lab = Lab::new();

        let mut failed = lab.actor(subject.part, "panic");
        let output = failed.stderr(Stdio::piped()).output().unwrap();

        let said = String::from_utf8(output.stderr).unwrap();
        let open = format!("look at it: {}", subject.opens);
        for words in [&open, "export TESTENV_GRACE_MS=600000", "run it again: "] {
            assert!(said.contains(words), "`{words}` in: {said}");
        }
        lab.expect_nothing_left(PROMISED);
    }
}

/// P7.
#[test]
pub(crate) fn a_server_of_ours_listens_on_loopback_only_and_is_closed_to_others() {
    for subject in SUBJECTS {
        for way in subject.ways {
            let lab = Lab::new();
            let mut test = lab.actor(subject.part, "wait");
            test.envs([("TESTENV_PROVIDER", *way), ("TESTENV_RUN_ID", "closed")]);
            let mut test = test.spawn().unwrap();
            lab::line(&mut test);

            let address = lab.address_of("closed", subject.service.name);
            let place = address.rsplit("://").next().unwrap().rsplit('@').next().unwrap();
            let place = place.split('/').next().unwrap();
            let port = place.rsplit_once(':').unwrap().1;
            // The port of a container may be another container's too, at another address of the machine.
            let ours = if *way == "docker" { published(&lab) } else { listeners(port) };
            assert!(ours.contains(&format!("127.0.0.1:{port}")), "{address}: {ours:?}");
            assert!(ours.iter().all(|at| at.starts_with("127.0.0.1:")), "{address}: {ours:?}");
            if let Some(stranger) = subject.stranger {
                let refused = stranger(place).to_lowercase();
                assert!(refused.contains("authentication"), "{way} {address}: {refused}");
            }

            drop(test.stdin.take());
            test.wait().unwrap();
            lab.expect_nothing_left(PROMISED);
        }
    }
}

/// P8.
#[test]
pub(crate) fn what_is_asked_for_outside_a_runtime_is_refused_with_the_cure() {
    for subject in SUBJECTS {
        let refused = std::panic::catch_unwind(subject.ask);

        let said = *refused.unwrap_err().downcast::<String>().unwrap();
        assert!(said.contains("inside a Tokio runtime only"), "{said}");
        assert!(said.contains("to fix: write #[tokio::test]"), "{said}");
        assert!(said.contains(concat!("asked for at: ", file!(), ":")), "{said}");
    }
}

/// P9.
#[test]
pub(crate) fn what_a_test_was_given_can_be_dropped_without_a_runtime() {
    for subject in SUBJECTS {
        (subject.drop_late)();
    }
}
