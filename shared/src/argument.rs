//! What `#[testenv::test]` gives to a test, by the types of its arguments.
//!
//! | type | what it is |
//! |---|---|
//! | `Db` | a private database, as [`crate::fresh_db`] gives it |
//! | `sqlx::PgPool`, `PoolConnection<Postgres>` | a pool, or a connection, of a private database |
//! | `Redis`, `redis::aio::MultiplexedConnection` | a private Redis database, or a connection to it |
//! | `Topic` | a topic with one partition |
//! | `Bucket` | an empty bucket |
//!
//! Each argument is one more: two arguments `Db` are two databases. Implement [`Argument`] for a
//! type of your own, such as your program with its database.

use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// A type that a test can ask for.
///
/// ```no_run
/// # #[cfg(all(feature = "integration", feature = "postgres"))] mod test {
/// use testenv::Db;
/// use testenv::argument::{Argument, Wanted};
///
/// struct Shop {
///     url: String, // what your program is started with
/// }
///
/// impl Argument for Shop {
///     type Guard = Db; // is dropped after the test
///
///     async fn give(wanted: &Wanted) -> (Shop, Db) {
///         let db = wanted.db().await; // with the migrations and the fixtures of the attribute
///         (Shop { url: db.url().to_owned() }, db)
///     }
/// }
///
/// #[testenv::test]
/// async fn a_shop_opens(shop: Shop) {
///     assert!(shop.url.starts_with("postgres://"));
/// }
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`#[testenv::test]` cannot give a test a `{Self}`",
    note = "it gives what the services have that are features of the harness: Db, PgPool, Redis, Topic, Bucket, …",
    note = "PostgreSQL and Redis need the feature too that brings real servers: cargo test --features integration",
    note = "a pool of another version of sqlx is another type: ask for a Db, and connect to db.url()",
    note = "implement testenv::argument::Argument for a type of your own"
)]
pub trait Argument: Sized {
    /// What is kept until the test has ended, and dropped then.
    type Guard;

    /// Makes the value, and its guard.
    fn give(wanted: &Wanted) -> impl Future<Output = (Self, Self::Guard)>;
}

/// What the attribute of a test says about its databases.
pub struct Wanted {
    package: &'static str,
    #[cfg(all(feature = "integration", feature = "postgres"))]
    template: Option<fn() -> crate::Template>,
    /// Names and texts.
    fixtures: Vec<(&'static str, &'static str)>,
    /// Whether an argument has asked for a database.
    is_asked: AtomicBool,
}

impl Wanted {
    /// For a test of the package in this folder.
    #[doc(hidden)] // the attribute calls it
    pub fn new(package: &'static str) -> Wanted {
        Wanted {
            package,
            #[cfg(all(feature = "integration", feature = "postgres"))]
            template: None,
            fixtures: Vec::new(),
            is_asked: AtomicBool::new(false),
        }
    }

    #[doc(hidden)]
    #[cfg(all(feature = "integration", feature = "postgres"))]
    pub fn of(mut self, template: fn() -> crate::Template) -> Wanted {
        self.template = Some(template);
        self
    }

    #[doc(hidden)]
    pub fn with(mut self, name: &'static str, text: &'static str) -> Wanted {
        self.fixtures.push((name, text));
        self
    }

    /// Called when all arguments are there, if the attribute says something about databases.
    ///
    /// # Panics
    ///
    /// If none was made: then the test would not have what stands above it.
    #[doc(hidden)]
    pub fn expect_database(&self) {
        assert!(
            self.is_asked.load(Ordering::Relaxed),
            "the attribute says what a database has, and no argument asks for one: add `db: Db`"
        );
    }

    /// A private database with the migrations of the attribute, and its fixtures. Without
    /// migrations in the attribute, those of the folder `migrations` beside the package's
    /// `Cargo.toml`; without such a folder, none.
    ///
    /// # Panics
    ///
    /// As [`crate::fresh_db`], and if a fixture fails.
    #[cfg(all(feature = "integration", feature = "postgres"))]
    pub async fn db(&self) -> crate::Db {
        self.is_asked.store(true, Ordering::Relaxed);
        let template = match self.template {
            Some(template) => template(),
            None if Path::new(self.package).join("migrations").is_dir() => {
                crate::Template::folder(Path::new(self.package).join("migrations"))
            }
            None => crate::Template::sql(""),
        };
        let db = template.fresh().await;
        db.apply(&self.fixtures).await.unwrap_or_else(|error| panic!("{error}"));
        db
    }
}

#[cfg(all(feature = "integration", feature = "postgres"))]
mod postgres {
    use sqlx::pool::PoolConnection;
    use sqlx::{PgPool, Postgres};

    use super::{Argument, Wanted};
    use crate::Db;

    impl Argument for Db {
        type Guard = ();

        async fn give(wanted: &Wanted) -> (Db, ()) {
            (wanted.db().await, ())
        }
    }

    impl Argument for PgPool {
        type Guard = Db;

        async fn give(wanted: &Wanted) -> (PgPool, Db) {
            let db = wanted.db().await;
            (db.pool().clone(), db)
        }
    }

    impl Argument for PoolConnection<Postgres> {
        type Guard = Db;

        async fn give(wanted: &Wanted) -> (PoolConnection<Postgres>, Db) {
            let db = wanted.db().await;
            let connection = db.pool().acquire().await;
            let why = "the server that made the database answers";
            (connection.expect(why), db)
        }
    }
}

#[cfg(all(feature = "integration", feature = "redis"))]
mod redis {
    use redis::aio::MultiplexedConnection;

    use super::{Argument, Wanted};
    use crate::Redis;

    impl Argument for Redis {
        type Guard = ();

        async fn give(_: &Wanted) -> (Redis, ()) {
            (crate::fresh_redis().await, ())
        }
    }

    impl Argument for MultiplexedConnection {
        type Guard = Redis;

        async fn give(_: &Wanted) -> (MultiplexedConnection, Redis) {
            let redis = crate::fresh_redis().await;
            (redis.connection().await, redis)
        }
    }
}

#[cfg(feature = "kafka")]
impl Argument for crate::Topic {
    type Guard = ();

    async fn give(_: &Wanted) -> (crate::Topic, ()) {
        (crate::fresh_topic().await, ())
    }
}

#[cfg(feature = "s3")]
impl Argument for crate::Bucket {
    type Guard = ();

    async fn give(_: &Wanted) -> (crate::Bucket, ()) {
        (crate::fresh_bucket().await, ())
    }
}
