//! The faults, and the other right programs, that `COURSE_FAULT` switches on. Think of your own
//! faults before you look.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisResult, cmd, pipe};
use testenv::fault;

use crate::CacheFailure;

/// A size that somebody thought was enough for every value.
const FIELD: usize = 64 * 1024;
/// The new TTL of a refreshed entry: the usual TTL in this service.
const USUAL: Duration = Duration::from_secs(60);
/// Less than the second that R3 allows.
const LATE: Duration = Duration::from_millis(400);

pub(crate) fn stored(value: &[u8]) -> Cow<'_, [u8]> {
    if fault!("value-as-text") {
        return String::from_utf8_lossy(value).into_owned().into_bytes().into();
    }
    if fault!("value-cut") {
        return value[..value.len().min(FIELD)].into();
    }
    value.into()
}

pub(crate) fn spelled(key: &str) -> Cow<'_, str> {
    if fault!("key-in-lower-case") {
        return key.to_lowercase().into();
    }
    if fault!("keys-in-hexadecimal") {
        return key
            .bytes()
            .fold(String::new(), |mut digits, byte| {
                write!(digits, "{byte:02x}").expect("a string takes what it is given");
                digits
            })
            .into();
    }
    key.into()
}

/// Gets an entry in another way, or returns `None` unless a fault or a variant of `get` is on.
pub(crate) async fn get(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Option<RedisResult<Option<Vec<u8>>>> {
    if fault!("read-once") {
        return Some(cmd("GETDEL").arg(key).query_async(connection).await);
    }
    if fault!("ttl-refreshed-on-read") {
        let usual = cmd("GETEX").arg(key).arg("PX").arg(millis(USUAL)).to_owned();
        return Some(usual.query_async(connection).await);
    }
    if fault!("expiry-noticed-on-read") {
        return Some(unless_over(connection, key).await);
    }
    if fault!("values-in-a-hash") {
        return Some(cmd("HGET").arg(key).arg("value").query_async(connection).await);
    }
    None
}

/// Returns the answer of [`Cache::get`](crate::Cache::get), given the answer of the server.
pub(crate) fn answered(
    answer: RedisResult<Option<Vec<u8>>>,
) -> Result<Option<Vec<u8>>, CacheFailure> {
    if fault!("failure-is-a-miss") {
        return Ok(answer.unwrap_or_default());
    }
    let value = answer?;
    if fault!("miss-is-an-error") && value.is_none() {
        return Err(CacheFailure((ErrorKind::Client, "there is no such entry").into()));
    }
    if fault!("miss-is-empty") {
        return Ok(Some(value.unwrap_or_default()));
    }
    if fault!("empty-is-a-miss") {
        return Ok(value.filter(|value| !value.is_empty()));
    }
    Ok(value)
}

/// Sets an entry in another way, or returns `None` unless a fault or a variant of `set` is on.
pub(crate) async fn set(
    connection: &mut MultiplexedConnection,
    key: &str,
    value: &[u8],
    ttl: Duration,
) -> Option<RedisResult<()>> {
    if ttl.as_millis() == 0 {
        return none_left(connection, key, value).await;
    }
    let mut set = cmd("SET");
    set.arg(key).arg(value);
    if fault!("ttl-in-seconds") {
        set.arg("EX").arg(millis(ttl));
    } else if fault!("ttl-in-whole-seconds") {
        match ttl.as_secs() {
            0 => return Some(cmd("DEL").arg(key).exec_async(connection).await),
            whole => set.arg("EX").arg(whole),
        };
    } else if fault!("ttl-forgotten") {
        // `SET` without a time.
    } else if fault!("first-value-stays") {
        set.arg("NX").arg("PX").arg(millis(ttl));
    } else if fault!("old-ttl-stays") {
        let replaced: RedisResult<Option<()>> =
            set.clone().arg("XX").arg("KEEPTTL").query_async(connection).await;
        match replaced {
            Ok(None) => set.arg("PX").arg(millis(ttl)),
            answer => return Some(answer.map(|_| ())),
        };
    } else if fault!("longer-ttl-stays") {
        let left: RedisResult<i64> = cmd("PTTL").arg(key).query_async(connection).await;
        set.arg("PX").arg(millis(ttl).max(left.ok()?.try_into().unwrap_or(0)));
    } else if fault!("expiry-a-little-late") {
        set.arg("PX").arg(millis(ttl + LATE));
    } else if fault!("expiry-noticed-on-read") {
        return Some(with_deadline(connection, key, value, ttl).await);
    } else if fault!("values-in-a-hash") {
        let mut hash = pipe();
        hash.atomic().del(key).ignore().hset(key, "value", value).ignore();
        hash.cmd("PEXPIRE").arg(key).arg(millis(ttl)).ignore();
        return Some(hash.exec_async(connection).await);
    } else {
        return None;
    }
    Some(set.exec_async(connection).await)
}

async fn none_left(
    connection: &mut MultiplexedConnection,
    key: &str,
    value: &[u8],
) -> Option<RedisResult<()>> {
    if fault!("zero-is-for-ever") {
        return Some(cmd("SET").arg(key).arg(value).exec_async(connection).await);
    }
    if fault!("zero-is-an-error") {
        return Some(cmd("SET").arg(key).arg(value).arg("PX").arg(0).exec_async(connection).await);
    }
    if fault!("zero-changes-nothing") {
        return Some(Ok(()));
    }
    None
}

/// Stores the deadline in front of the value: eight bytes of milliseconds, by the server's clock.
async fn with_deadline(
    connection: &mut MultiplexedConnection,
    key: &str,
    value: &[u8],
    ttl: Duration,
) -> RedisResult<()> {
    let now = now(cmd("TIME").query_async(connection).await?);
    let entry = [&(now + millis(ttl)).to_be_bytes(), value].concat();
    cmd("SET").arg(key).arg(entry).exec_async(connection).await
}

/// Returns the value if its deadline has not passed; else removes the entry.
async fn unless_over(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> RedisResult<Option<Vec<u8>>> {
    let (entry, time): (Option<Vec<u8>>, _) =
        pipe().cmd("GET").arg(key).cmd("TIME").query_async(connection).await?;
    let Some((deadline, value)) = entry.as_deref().and_then(<[u8]>::split_first_chunk) else {
        return Ok(None);
    };
    if now(time) < u64::from_be_bytes(*deadline) {
        return Ok(Some(value.to_vec()));
    }
    cmd("DEL").arg(key).exec_async(connection).await.map(|()| None)
}

fn now((seconds, micros): (u64, u64)) -> u64 {
    seconds * 1000 + micros / 1000
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}
