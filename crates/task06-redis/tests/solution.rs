//! The finished suite: a database of its own for every test, and nothing that sleeps.
#![cfg(feature = "integration")]

use std::time::Duration;

use redis::AsyncCommands;
use task06_redis::Cache;
use testenv::{Error, Redis, fresh_redis, wait};

/// For entries that are not to end while a test looks at them.
const LONG: Duration = Duration::from_secs(60);
/// For entries whose end a test waits for.
const SHORT: Duration = Duration::from_millis(200);
/// For that end: the second that the requirement leaves, and one for a slow machine.
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_value_may_hold_any_bytes_and_is_read_again_and_again() {
    let redis = fresh_redis().await;
    let cache = cache(&redis).await;
    let value = Vec::from_iter(0..=u8::MAX);

    cache.set("picture", &value, LONG).await.unwrap();

    for _ in 0..2 {
        assert_eq!(cache.get("picture").await.unwrap().as_ref(), Some(&value));
    }
}

#[tokio::test]
async fn a_value_may_be_long_or_empty() {
    let redis = fresh_redis().await;
    let cache = cache(&redis).await;
    let long = "x".repeat(900_000);

    cache.set("long", &long, LONG).await.unwrap();
    cache.set("empty", "", LONG).await.unwrap();

    assert_eq!(read(&cache, "long").await.map(|value| value.len()), Some(long.len()));
    assert_eq!(read(&cache, "empty").await.as_deref(), Some(""));
}

#[tokio::test]
async fn a_key_that_was_never_set_is_a_miss() {
    let redis = fresh_redis().await;
    let cache = cache(&redis).await;

    let answer = cache.get("apple").await;

    assert!(matches!(answer, Ok(None)), "{answer:?}");
}

#[tokio::test]
async fn an_entry_of_two_hundred_milliseconds_ends_although_it_is_read() {
    let redis = fresh_redis().await;
    let cache = cache(&redis).await;

    cache.set("apple", "1.20", SHORT).await.unwrap();

    the_end_of(&cache, "apple").await.unwrap();
}

#[tokio::test]
async fn an_entry_is_there_until_its_time_is_over() {
    let redis = fresh_redis().await;
    let cache = cache(&redis).await;

    cache.set("lasts", "1.20", LONG).await.unwrap();
    cache.set("ends", "1.20", Duration::from_millis(900)).await.unwrap();

    assert_eq!(read(&cache, "ends").await.as_deref(), Some("1.20"));
    the_end_of(&cache, "ends").await.unwrap();
    assert_eq!(read(&cache, "lasts").await.as_deref(), Some("1.20"));
}

#[tokio::test]
async fn setting_again_replaces_the_value_and_lengthens_the_time() {
    let redis = fresh_redis().await;
    let cache = cache(&redis).await;

    cache.set("apple", "1.20", SHORT).await.unwrap();
    cache.set("apple", "1.50", LONG).await.unwrap();

    // Set later with the same time, it ends when the first value's time is over.
    cache.set("clock", "", SHORT).await.unwrap();
    the_end_of(&cache, "clock").await.unwrap();
    assert_eq!(read(&cache, "apple").await.as_deref(), Some("1.50"));
}

#[tokio::test]
async fn setting_again_shortens_the_time() {
    let redis = fresh_redis().await;
    let cache = cache(&redis).await;

    cache.set("apple", "1.20", LONG).await.unwrap();
    cache.set("apple", "1.50", SHORT).await.unwrap();

    the_end_of(&cache, "apple").await.unwrap();
}

#[tokio::test]
async fn keys_and_namespaces_that_look_alike_never_meet() {
    let redis = fresh_redis().await;
    let entries = [
        ("shop", "apple"),
        ("shop", "Apple"),
        ("shop", " apple"),
        ("shop:a", "b"),
        ("shop", "a:b"),
        ("", "shop:apple"),
        ("4:shop", "apple"),
        ("forum", "apple"),
    ];
    let cache = async |namespace| Cache::new(redis.connection().await, namespace);
    for (namespace, key) in entries {
        let value = format!("{namespace}, {key}");
        cache(namespace).await.set(key, value, LONG).await.unwrap();
    }

    for (namespace, key) in entries {
        let value = read(&cache(namespace).await, key).await;
        assert_eq!(value, Some(format!("{namespace}, {key}")));
    }
}

#[tokio::test]
async fn a_failure_of_the_server_is_not_a_miss() {
    let redis = fresh_redis().await;
    let cache = cache(&redis).await;
    cache.set("apple", "1.20", LONG).await.unwrap();

    // In a database of its own a test may do what it likes to all keys, and need not know how the cache calls them.
    let mut connection = redis.connection().await;
    for key in connection.keys::<_, Vec<String>>("*").await.unwrap() {
        let () = connection.del(&key).await.unwrap();
        let () = connection.rpush(&key, "no entry of a cache").await.unwrap();
    }

    let answer = cache.get("apple").await;
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn a_time_below_a_millisecond_leaves_no_entry() {
    let redis = fresh_redis().await;
    let cache = cache(&redis).await;
    cache.set("was there", "1.20", LONG).await.unwrap();

    for key in ["was there", "was not there"] {
        for none in [Duration::ZERO, Duration::from_micros(999)] {
            cache.set(key, "1.50", none).await.unwrap();

            assert_eq!(read(&cache, key).await, None, "{key}, {none:?}");
        }
    }
}

async fn cache(redis: &Redis) -> Cache {
    Cache::new(redis.connection().await, "shop")
}

async fn read(cache: &Cache, key: &str) -> Option<String> {
    cache.get(key).await.unwrap().map(|value| String::from_utf8(value).unwrap())
}

/// Asks the cache every 20 ms, not the server: how the cache forgets is its own business.
async fn the_end_of(cache: &Cache, key: &str) -> Result<(), Error> {
    wait::until(LIMIT, "the end of the entry", async || match read(cache, key).await {
        None => Ok(()),
        Some(value) => Err(format!("it reads {value:?}")),
    })
    .await
}
