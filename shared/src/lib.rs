#![doc = include_str!("../pictures/rustdoc.md")] // the pictures; the first definition of a link counts
#![doc = include_str!("../README.md")]
// Each part of this crate serves several services. Whoever has one of them does not use all of a part.
#![cfg_attr(
    not(all(
        feature = "every-service",
        feature = "integration",
        feature = "leaks",
        feature = "tools"
    )),
    allow(dead_code, unused_imports, reason = "it is looked for where everything is built in")
)]

// Said aloud in every test.
mod error;
pub mod fault;
#[cfg(feature = "leaks")]
pub mod leaks;
pub mod wait;

pub use error::{Error, Heading};

// For tests without a runtime.
#[cfg(any(
    feature = "embedded",
    feature = "macros",
    all(feature = "integration", feature = "service")
))]
pub mod blocking;
// For tests that say by their arguments what they need.
#[cfg(feature = "macros")]
pub mod argument;

// One module a service, twins of each other.
#[cfg(all(feature = "integration", feature = "postgres"))]
pub mod postgres;
#[cfg(all(feature = "integration", feature = "redis"))]
pub mod redis;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "toxiproxy")]
pub mod proxy;
#[cfg(feature = "s3")]
pub mod s3;

// What a test chooses at random.
#[cfg(feature = "seed")]
pub mod seed;
#[cfg(all(feature = "integration", feature = "factories"))]
pub mod factories;

#[cfg(feature = "kafka")]
pub use kafka::{Topic, fresh_topic, fresh_topic_with};
#[cfg(all(feature = "integration", feature = "postgres"))]
pub use postgres::{Db, Template, Tx, begin, fresh_db, snapshot};
#[cfg(feature = "toxiproxy")]
pub use proxy::{Direction, Proxy, fresh_proxy};
#[cfg(all(feature = "integration", feature = "redis"))]
pub use redis::{Redis, fresh_redis};
#[cfg(feature = "s3")]
pub use s3::{Bucket, fresh_bucket};

// Where a server comes from.
mod address;
mod cure;
mod images;
mod programs;
mod project;
mod provider;
mod reuse;
mod service;
mod temporary;
#[cfg(feature = "integration")]
mod docker;

#[cfg(all(feature = "integration", feature = "service"))]
mod server;

#[cfg(any(
    feature = "embedded",
    feature = "macros",
    all(feature = "integration", feature = "service")
))]
mod background;

// What programs need, and no test.
pub mod tools;

// What a run owns, and how it ends.
mod run;
mod current_test;
mod secret;
#[cfg(all(feature = "integration", feature = "redis", feature = "tls"))]
mod tls;
#[cfg(any(
    feature = "embedded",
    feature = "seed",
    all(feature = "integration", feature = "service")
))]
mod verdict;

/// Makes a test of a function, and gives it what its arguments ask for; see [`argument`].
///
/// An `async` function becomes a `#[tokio::test]`; the crate needs tokio with `macros` and `rt`. The
/// options that `#[tokio::test]` knows are passed on, such as `start_paused = true`. Another function
/// becomes a `#[test]`. A test that returns `Err` has failed.
///
/// ```no_run
/// # #[cfg(all(feature = "integration", feature = "postgres"))] mod test {
/// use testenv::Db;
///
/// #[testenv::test]
/// async fn a_table_is_made(db: Db) -> sqlx::Result<()> {
///     sqlx::query("CREATE TABLE rooms (name TEXT)").execute(db.pool()).await?;
///     Ok(())
/// }
///
/// #[testenv::test(migrations = false)]
/// fn without_a_runtime(db: Db) {
///     println!("psql '{}'", db.url());
/// }
/// # }
/// ```
///
/// | option | the databases of the test have |
/// |---|---|
/// | none | the migrations in the folder `migrations` beside the package's `Cargo.toml`, if there is one |
/// | `migrations = "folder"` | those in another folder, seen from there: [`Template::folder`] |
/// | `migrations = false` | none |
/// | `migrator = path::MIGRATOR` | those of a static of `sqlx::migrate!()`: [`Template::migrations`] |
/// | `template = expression` | what any other [`Template`] has |
/// | `fixtures("users", "orders")` | also what `fixtures/users.sql` and then `fixtures/orders.sql` insert, seen from the test's source |
/// | `fixtures(path = "folder", scripts("users"))` | those of `folder/users.sql`, seen from there |
/// | `fixtures("../users.sql")` | those of this file, seen from there |
#[cfg(feature = "macros")]
pub use testenv_macros::test;

/// What this binary can remove beside a run's own things.
const CLEANERS: &[&run::cleaner::Cleaner] = &[
    #[cfg(feature = "integration")]
    &docker::CLEANER,
    #[cfg(all(feature = "integration", feature = "kafka"))]
    &kafka::CLEANER,
    #[cfg(all(feature = "integration", feature = "postgres"))]
    &postgres::CLEANER,
    #[cfg(all(feature = "integration", feature = "redis"))]
    &redis::CLEANER,
    #[cfg(all(feature = "integration", feature = "s3"))]
    &s3::CLEANER,
    #[cfg(all(feature = "integration", feature = "toxiproxy"))]
    &proxy::CLEANER,
];

/// How the servers of this binary are started before its tests.
#[cfg(all(feature = "integration", feature = "service"))]
const STARTERS: &[server::Starter] = &[
    #[cfg(feature = "kafka")]
    kafka::START,
    #[cfg(feature = "postgres")]
    postgres::START,
    #[cfg(feature = "redis")]
    redis::START,
    #[cfg(feature = "s3")]
    s3::START,
    #[cfg(feature = "toxiproxy")]
    proxy::START,
];

/// Runs before `main` in every process that links the harness.
///
/// The reaper is this binary, re-executed; it must take over before libtest starts. An unknown `COURSE_FAULT`
/// is also rejected here, because a test that never
/// reaches a fault would not notice it.
#[ctor::ctor(unsafe)]
fn before_main() {
    run::detach_if_asked();
    run::note_settings();
    #[cfg(all(feature = "integration", feature = "postgres"))]
    postgres::forget_options_of_the_shell();
    #[cfg(feature = "integration")]
    provider::tell_testcontainers();
    run::reap_if_asked(CLEANERS);
    #[cfg(all(feature = "integration", feature = "service"))]
    server::start_if_asked(STARTERS);
    fault::refuse_unknown();
    // A hundred tests fail under a fault. A check's right programs look like its wrong ones.
    #[cfg(any(
        feature = "embedded",
        feature = "seed",
        all(feature = "integration", feature = "service")
    ))]
    verdict::keep_nothing_if(|| fault::is_checked() || fault::selected().is_some());
}
