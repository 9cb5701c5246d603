//! The five kinds of leak, what is no leak, and what the message says.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use ::tokio::net::TcpListener;
use ::tokio::task::JoinSet;
use ::tokio::time::interval;

use super::*;
use crate::wait;

/// Long enough for what ends in these tests, on a busy machine too.
const SHORT: Duration = Duration::from_secs(1);

/// The text of the panic with which a leaky test ends.
fn leak_of<F: Future>(test: F) -> String {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().grace(SHORT).build().unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(test)));
    let panic = ended.err().expect("a leak was not noticed");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a text")).to_owned(),
    }
}

/// A line of this file, as the message has it.
fn place(line: u32) -> String {
    format!("{}:{line}:", file!())
}

fn assert_names(message: &str, kind: &str, line: u32) {
    if cfg!(tokio_unstable) || kind == "blocking thread" {
        let place = place(line).trim_start_matches("shared/").to_owned();
        assert!(
            message.contains(&place) && message.contains(&format!("{kind} spawned at")),
            "{message}"
        );
    } else {
        assert!(message.contains("to see where: RUSTFLAGS='--cfg tokio_unstable' "), "{message}");
    }
}

#[test]
fn a_forgotten_task_is_named() {
    let mut line = 0;

    let message = leak_of(async {
        line = line!() + 1;
        ::tokio::spawn(pending::<()>());
    });

    assert!(message.starts_with("1 task left 1s after the end of "), "{message}");
    assert!(message.contains("leaks::tests::a_forgotten_task_is_named"), "{message}");
    assert_names(&message, "task", line);
}

#[test]
fn a_detached_interval_is_named() {
    let mut line = 0;

    let message = leak_of(async {
        line = line!() + 1;
        drop(::tokio::spawn(async {
            let mut ticks = interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
            }
        }));
    });

    assert_names(&message, "task", line);
}

#[test]
fn a_blocked_thread_is_named() {
    let (release, released) = mpsc::channel::<()>();
    let mut line = 0;

    let message = leak_of(async {
        line = line!() + 1;
        ::tokio::task::spawn_blocking(move || released.recv());
    });

    drop(release);
    assert!(message.starts_with("1 blocking thread left "), "{message}");
    assert_names(&message, "blocking thread", line);
}

#[test]
fn the_tasks_of_a_join_set_that_nobody_awaited_are_counted() {
    let mut line = 0;

    let message = leak_of(async {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            line = line!() + 1;
            set.spawn(pending::<()>());
        }
        set.detach_all();
    });

    assert!(message.starts_with("3 tasks left "), "{message}");
    assert_names(&message, "task", line);
    assert_eq!(message.contains(", 3 times"), cfg!(tokio_unstable), "{message}");
}

#[test]
fn a_server_that_was_never_shut_down_is_named() {
    let mut line = 0;

    let message = leak_of(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        line = line!() + 1;
        ::tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    });

    assert_names(&message, "task", line);
}

#[test]
fn a_task_that_is_spawned_while_others_end_is_a_leak() {
    let message = leak_of(async {
        ::tokio::spawn(async {
            ::tokio::task::yield_now().await;
            ::tokio::task::spawn_blocking(|| ::tokio::spawn(pending::<()>()));
        });
    });

    assert!(message.starts_with("1 task left "), "{message}");
}

#[::tokio::test(crate = "super::tokio")]
async fn what_ends_a_little_later_is_no_leak() {
    for _ in 0..100 {
        ::tokio::spawn(::tokio::task::yield_now());
    }
    ::tokio::task::spawn_blocking(|| wait::nap_blocking(Duration::from_millis(50)));
    ::tokio::spawn(pending::<()>()).abort();
}

#[::tokio::test(crate = "super::tokio", flavor = "multi_thread", worker_threads = 2)]
async fn threads_of_a_runtime_are_no_leak() {
    ::tokio::task::spawn_blocking(|| ()).await.unwrap();
    ::tokio::spawn(::tokio::task::yield_now()).await.unwrap();
}

#[test]
fn a_stopped_clock_does_not_hide_a_task_that_sleeps() {
    let sleeps = || {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().grace(SHORT).start_paused(true).build();
        #[expect(clippy::disallowed_methods, reason = "nobody awaits it")]
        runtime.unwrap().block_on(async {
            ::tokio::spawn(::tokio::time::sleep(Duration::from_secs(3600)));
        });
    };

    assert!(catch_unwind(sleeps).is_err());
}

#[test]
fn what_a_test_allows_is_no_leak_and_one_more_is() {
    let leak = |tasks: usize| async move {
        allow(1, "the pool's own");
        for _ in 0..tasks {
            ::tokio::spawn(pending::<()>());
        }
    };

    run(leak(1));
    let message = leak_of(leak(2));

    assert!(message.contains("allowed: 1 (the pool's own)"), "{message}");
}

#[test]
fn a_failed_test_fails_with_its_own_message() {
    let message = leak_of(async {
        ::tokio::spawn(pending::<()>());
        ::tokio::task::spawn_blocking(|| wait::nap_blocking(Duration::from_millis(50)));
        panic!("the sum is wrong");
    });

    assert_eq!(message, "the sum is wrong");
}

/// `TESTENV_FULL_LOAD=1` runs a thousand, in about a second.
#[test]
fn a_clean_test_is_never_accused() {
    let full = std::env::var("TESTENV_FULL_LOAD").is_ok_and(|value| value == "1");
    for _ in 0..if full { 1000 } else { 50 } {
        run(async {
            let mut set = JoinSet::new();
            for _ in 0..10 {
                set.spawn(::tokio::task::yield_now());
            }
            set.spawn_blocking(|| ());
            let told = ::tokio::spawn(pending::<()>());
            set.join_next().await.unwrap().unwrap();
            told.abort();
        });
    }
}
