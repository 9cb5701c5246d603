#![doc = "[before]: ../task05_random_port/index.html\n[next]: ../task07_kafka/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod faults;

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, RedisError, SetExpiry, SetOptions};
use testenv::fault;

/// A cache in Redis: values that a service can do without, each with a TTL. Clones share the
/// connection.
///
/// ```no_run
/// # use std::time::Duration;
/// # use task06_redis::{Cache, CacheFailure};
/// # async fn remember(connection: redis::aio::MultiplexedConnection) -> Result<(), CacheFailure> {
/// let prices = Cache::new(connection, "prices");
/// prices.set("apple", "1.20", Duration::from_secs(60)).await?;
///
/// assert_eq!(prices.get("apple").await?.as_deref(), Some(&b"1.20"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Cache {
    connection: MultiplexedConnection,
    namespace: String,
}

/// The server could not be asked, or answered with an error. The failure says nothing about the
/// entry.
#[derive(Debug, thiserror::Error)]
#[error("the cache failed")]
pub struct CacheFailure(#[from] RedisError);

impl Cache {
    /// Returns a cache whose entries are separate from the entries of every other namespace.
    pub fn new(connection: MultiplexedConnection, namespace: &str) -> Cache {
        Cache { connection, namespace: namespace.into() }
    }

    /// Returns the value, or `None` if there is no entry or the entry has ended.
    ///
    /// # Errors
    ///
    /// [`CacheFailure`] when the server does not answer, or when the key holds something other than
    /// a cache entry.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CacheFailure> {
        let (mut connection, key) = (self.connection.clone(), self.key(key));
        let answer = match faults::get(&mut connection, &key).await {
            Some(other) => other,
            None => connection.get(&key).await,
        };
        faults::answered(answer)
    }

    /// Sets the value for `ttl` from now. Replaces the entry that was there.
    ///
    /// A `ttl` below a millisecond leaves no entry: a millisecond is the smallest TTL in Redis.
    ///
    /// # Errors
    ///
    /// [`CacheFailure`] when the server does not answer, or when the server refuses the size of the
    /// value or the length of the `ttl`.
    pub async fn set(
        &self,
        key: &str,
        value: impl AsRef<[u8]>,
        ttl: Duration,
    ) -> Result<(), CacheFailure> {
        let (mut connection, key) = (self.connection.clone(), self.key(key));
        let value = faults::stored(value.as_ref());
        if let Some(other) = faults::set(&mut connection, &key, &value, ttl).await {
            return Ok(other?);
        }
        // Redis refuses a life of nothing as an error.
        if ttl.as_millis() == 0 {
            return Ok(connection.del(&key).await?);
        }
        // In one command: a process that dies between `SET` and `PEXPIRE` would leave the value for ever.
        let expiry = SetExpiry::PX(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        let options = SetOptions::default().with_expiration(expiry);
        Ok(connection.set_options(&key, &value[..], options).await?)
    }

    /// Prefixes the key with the length of the namespace and the namespace.
    ///
    /// The length tells where the namespace ends. A separator cannot, because namespaces and keys
    /// may hold it.
    fn key(&self, key: &str) -> String {
        let namespace = &self.namespace;
        if fault!("namespaces-run-together") {
            return format!("{namespace}:{key}");
        }
        if fault!("namespace-dropped") {
            return key.to_owned();
        }
        let key = faults::spelled(key);
        format!("{}:{namespace}:{key}", namespace.len())
    }
}
