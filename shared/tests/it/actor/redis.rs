//! The parts that play with Redis.

use std::time::Duration;

use redis::AsyncCommands;
use testcontainers_modules::testcontainers::core::{ContainerPort, WaitFor};
use testcontainers_modules::testcontainers::{GenericImage, ImageExt};
use testenv::fresh_redis;
use testenv::tools::Run;
use testenv::tools::{self, docker};

use crate::{Held, held, nothing, runtime, say};

const PORT: ContainerPort = ContainerPort::Tcp(6379);

pub(crate) fn play(part: &str) -> Option<Held> {
    match part {
        "redis" => return held(runtime().block_on(write())),
        "redis in many ways" => return held(runtime().block_on(write_in_many_ways())),
        "given redis" => {
            say(&runtime().block_on(Run::join().unwrap().once("given", serve)).unwrap());
        }
        _ => return None,
    }
    nothing()
}

/// A database with a key in it.
async fn write() -> testenv::Redis {
    let redis = fresh_redis().await;
    let () = redis.connection().await.set("written by", "an actor").await.unwrap();
    redis
}

/// A database with keys in it that were made by every command that makes keys in its own way.
async fn write_in_many_ways() -> testenv::Redis {
    let redis = fresh_redis().await;
    let mut connection = redis.connection().await;
    let script = "redis.call('SET', KEYS[1], ''); redis.call('SET', ARGV[1], '')";
    let binary = &[0xff_u8, b'\r', b'\n', 0][..];
    let () = redis::pipe()
        .cmd("MSET")
        .arg(&["m1", "x", "m2", "", "m3", ""])
        .cmd("RENAME")
        .arg("m3")
        .arg("renamed")
        .cmd("LPUSH")
        .arg("list")
        .arg(&["2", "1"])
        .cmd("SORT")
        .arg("list")
        .arg("STORE")
        .arg("sorted")
        .cmd("ZADD")
        .arg("z")
        .arg("1")
        .arg("a")
        .cmd("ZUNIONSTORE")
        .arg("union")
        .arg("1")
        .arg("z")
        .cmd("XGROUP")
        .arg(&["CREATE", "stream", "group", "$", "MKSTREAM"])
        .cmd("COPY")
        .arg("m1")
        .arg("copied")
        .cmd("BITOP")
        .arg("OR")
        .arg("bits")
        .arg("m1")
        .cmd("EVAL")
        .arg(script)
        .arg("1")
        .arg("by a key")
        .arg("by a word")
        .cmd("SET")
        .arg(binary)
        .arg("a name of any bytes")
        .cmd("SET")
        .arg("large")
        .arg("x".repeat(1_000_000))
        .cmd("MULTI")
        .cmd("SET")
        .arg("in a transaction")
        .arg("")
        .cmd("EXEC")
        .ignore()
        .query_async(&mut connection)
        .await
        .unwrap();
    redis
}

/// Tests that run at once, each on a thread of its own; none may meet another.
pub(crate) fn crowd(count: usize) {
    let test = |number: usize| {
        runtime().block_on(async {
            let redis = fresh_redis().await;
            let mut connection = redis.connection().await;
            let before: Vec<String> = connection.keys("*").await.unwrap();
            let mine = format!("test {number} of process {}", std::process::id());
            let () = connection.set(&mine, "").await.unwrap();
            std::thread::park_timeout(Duration::from_millis(30));
            let after: Vec<String> = connection.keys("*").await.unwrap();
            assert_eq!((before, after), (vec![], vec![mine]), "{redis:?}");
        });
    };
    std::thread::scope(|scope| {
        for number in 0..count {
            scope.spawn(move || test(number));
        }
    });
}

/// A server as others run them: sixteen databases, a user and a password.
async fn serve(run: &'static Run) -> Result<String, testenv::Error> {
    let image = docker::resolve(tools::REDIS.image).await?;
    let request = || {
        GenericImage::new(&image.name, &image.tag)
            .with_wait_for(WaitFor::message_on_stdout("Ready to accept connections"))
            .with_cmd(["redis-server", "--requirepass", "open sesame", "--save", ""])
    };
    let (ports, limit) = (&[PORT], Duration::from_secs(30));
    let started = docker::start(run, "given", request, ports, &["/data"], limit).await?;
    Ok(format!("redis://default:open%20sesame@{}", started.address(PORT).await?))
}
