//! The processes of a run, as parts that the tests start: `testenv-actor <part> [<argument>]`.
//!
//! A part prints on a line of standard output what it has. Then it ends in the way that it was
//! told.

use std::any::Any;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use testenv::tools::Run;

#[cfg(all(feature = "integration", feature = "postgres"))]
mod actor_templates;

fn main() {
    hear_signals();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["listen", dir] => listen(Path::new(dir)),
        ["member", millis] => member(Duration::from_millis(millis.parse().unwrap())),
        #[cfg(all(feature = "integration", feature = "redis"))]
        ["crowd", count] => redis::crowd(count.parse().unwrap()),
        [resource, end] => {
            let _held_until_the_end = make(resource);
            say(resource);
            finish(end);
        }
        _ => panic!("no such part: {args:?}"),
    }
}

/// A suite that was started by `nohup`, or in the background of a script, inherits that some signals are ignored: an end by signal would be none.
fn hear_signals() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        #[expect(unsafe_code, reason = "the default handler runs no code of ours")]
        unsafe { signal(ignored, SigHandler::SigDfl) }.expect("a signal that can be handled");
    }
}

/// A server with a port, a socket and a file of its own.
fn listen(dir: &Path) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let _socket = UnixListener::bind(dir.join("server.sock")).unwrap();
    std::fs::write(dir.join("server.addr"), port.local_addr().unwrap().to_string()).unwrap();
    for stream in port.incoming() {
        drop(stream);
    }
}

/// Joins, uses the run's server for a while, and says which process served from the beginning to the end.
fn member(length: Duration) {
    let run = Run::join().unwrap();
    let server = runtime().block_on(run.once("server", async |run| Ok(start_server(run)))).unwrap();
    std::thread::park_timeout(length);
    std::net::TcpStream::connect(&server).expect("the run's server lives as long as its members");
    say(&server);
}

fn make(resource: &str) -> Option<Box<dyn Any>> {
    #[cfg(all(feature = "integration", feature = "postgres"))]
    if ["two templates", "six migrators", "a builder", "asked", "attended"].contains(&resource) {
        return actor_templates::play(resource);
    }
    let run = Run::join().unwrap();
    match resource {
        #[cfg(all(feature = "integration", feature = "redis"))]
        "redis" => return Some(Box::new(runtime().block_on(redis::write()))),
        #[cfg(all(feature = "integration", feature = "redis"))]
        "redis in many ways" => {
            return Some(Box::new(runtime().block_on(redis::write_in_many_ways())));
        }
        #[cfg(all(feature = "integration", feature = "redis"))]
        "given redis" => say(&runtime().block_on(run.once("given", redis::serve)).unwrap()),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "postgres" => return Some(Box::new(runtime().block_on(postgres::write()))),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "dump" => runtime().block_on(postgres::dump(run)),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "role" => runtime().block_on(postgres::role()),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "superuser" => drop(runtime().block_on(testenv::fresh_db()).superuser().clone()),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "postgres, again and again" => runtime().block_on(postgres::again_and_again()),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "a hundred databases" => return Some(Box::new(runtime().block_on(postgres::hundred()))),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "postgres, more and more" => runtime().block_on(postgres::more_and_more()),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "given postgres" => say(&runtime().block_on(run.once("given", postgres::serve)).unwrap()),
        #[cfg(all(feature = "integration", feature = "postgres"))]
        "small postgres" => {
            say(&runtime().block_on(run.once("given", postgres::serve_small)).unwrap());
        }
        "nothing" => {}
        "native" => {
            runtime().block_on(run.once("server", async |run| Ok(start_server(run)))).unwrap();
        }
        #[cfg(feature = "integration")]
        "docker" => {
            runtime().block_on(run.once("sleeper", docker::start)).unwrap();
        }
        #[cfg(all(feature = "integration", feature = "kafka"))]
        "round trip" => runtime().block_on(kafka::round_trip()),
        #[cfg(all(feature = "integration", feature = "kafka"))]
        "topic" => runtime().block_on(async { say(testenv::fresh_topic().await.name()) }),
        _ => panic!("no such resource: {resource}"),
    }
    None
}

fn start_server(run: &Run) -> String {
    let dir = run.dir().to_str().unwrap();
    drop(run.start_native("server", &std::env::current_exe().unwrap(), &["listen", dir]).unwrap());
    let address = run.dir().join("server.addr");
    testenv::wait::until_blocking(Duration::from_secs(10), "the server's address", || {
        match std::fs::read_to_string(&address) {
            Ok(text) if text.is_empty() => Err("it is empty".to_owned()),
            Ok(text) => Ok(text),
            Err(error) => Err(error.to_string()),
        }
    })
    .unwrap()
}

#[cfg(feature = "integration")]
mod docker {
    use std::time::Duration;

    use testcontainers_modules::testcontainers::{GenericImage, ImageExt};
    use testenv::tools::Run;
    use testenv::tools::{self, docker};

    /// A container that only has to be there: what it runs does not matter to who removes it.
    pub(super) async fn start(run: &'static Run) -> Result<String, testenv::Error> {
        let image = docker::resolve(tools::KAFKA.image).await?;
        let request =
            GenericImage::new(image.name, image.tag).with_entrypoint("sleep").with_cmd(["600"]);
        docker::start(run, "sleeper", request, &[], &[], Duration::from_secs(30)).await?;
        Ok(String::new())
    }
}

#[cfg(all(feature = "integration", feature = "postgres"))]
mod postgres {
    use std::time::Duration;

    use testcontainers_modules::postgres::Postgres;
    use testcontainers_modules::testcontainers::ImageExt;
    use testcontainers_modules::testcontainers::core::{ContainerPort, Mount};
    use testenv::fresh_db;
    use testenv::tools::Run;
    use testenv::tools::{self, docker};

    const PORT: ContainerPort = ContainerPort::Tcp(5432);
    const DATA: &str = "/var/lib/postgresql/data";

    /// A database with a row in it; its name is said.
    pub(super) async fn write() -> testenv::Db {
        let db = fresh_db().await;
        let insert = "INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.org')";
        sqlx::query(insert).execute(db.pool()).await.unwrap();
        db
    }

    /// Who a test is.
    pub(super) async fn role() {
        let who = "SELECT format('role: %s %s', current_user, current_setting('is_superuser'))";
        let db = fresh_db().await;
        super::say(&sqlx::query_scalar::<_, String>(who).fetch_one(db.pool()).await.unwrap());
    }

    /// A dump of a database with a row in it.
    pub(super) async fn dump(run: &Run) {
        let (db, file) = (write().await, run.dir().join("dump.sql"));
        testenv::snapshot::dump(&db, &file).await.unwrap();
        assert!(std::fs::read_to_string(file).unwrap().contains("ada@example.org"));
    }

    /// One database after the other, until one cannot be had or used.
    pub(super) async fn again_and_again() {
        drop(write().await);
        super::say("begun");
        loop {
            drop(write().await);
        }
    }

    pub(super) async fn hundred() -> Vec<testenv::Db> {
        let mut held = Vec::new();
        for _ in 0..100 {
            held.push(fresh_db().await);
        }
        held
    }

    /// Databases held at the same time, until one cannot be had. Nothing is written into them: on a full
    /// disk, that could fail first.
    pub(super) async fn more_and_more() {
        let mut held = vec![write().await];
        super::say("begun");
        loop {
            held.push(fresh_db().await);
        }
    }

    /// A server as others run them: its own settings, a password.
    pub(super) async fn serve(run: &'static Run) -> Result<String, testenv::Error> {
        serve_with(run, Mount::tmpfs_mount(DATA)).await
    }

    /// A server with room for the template and a few copies.
    pub(super) async fn serve_small(run: &'static Run) -> Result<String, testenv::Error> {
        serve_with(run, Mount::tmpfs_mount(DATA).with_size("72m")).await
    }

    async fn serve_with(run: &'static Run, data: Mount) -> Result<String, testenv::Error> {
        let image = docker::resolve(tools::POSTGRES.image).await?;
        let request = Postgres::default()
            .with_password("open sesame")
            .with_name(&image.name)
            .with_tag(&image.tag)
            // A log of one megabyte at a time: a full disk then meets a copy, not the log, which would be the server's end.
            .with_env_var("POSTGRES_INITDB_ARGS", "--wal-segsize=1")
            // What some need, and PostgreSQL leaves out unless asked.
            .with_cmd(["-c", "max_prepared_transactions=10", "-c", "wal_level=logical"])
            .with_mount(data);
        let limit = Duration::from_secs(60);
        let started = docker::start(run, "given", request, &[PORT], &[], limit).await?;
        let address = started.address(PORT).await?;
        Ok(format!("postgres://postgres:open%20sesame@{address}/postgres"))
    }
}

#[cfg(all(feature = "integration", feature = "redis"))]
mod redis {
    use std::time::Duration;

    use redis::AsyncCommands;
    use testcontainers_modules::testcontainers::core::{ContainerPort, WaitFor};
    use testcontainers_modules::testcontainers::{GenericImage, ImageExt};
    use testenv::fresh_redis;
    use testenv::tools::Run;
    use testenv::tools::{self, docker};

    const PORT: ContainerPort = ContainerPort::Tcp(6379);

    /// A database with a key in it.
    pub(super) async fn write() -> testenv::Redis {
        let redis = fresh_redis().await;
        let () = redis.connection().await.set("written by", "an actor").await.unwrap();
        redis
    }

    /// A database with keys in it that were made by every command that makes keys in its own way.
    pub(super) async fn write_in_many_ways() -> testenv::Redis {
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
    pub(super) fn crowd(count: usize) {
        let test = |number: usize| {
            super::runtime().block_on(async {
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
    pub(super) async fn serve(run: &'static Run) -> Result<String, testenv::Error> {
        let image = docker::resolve(tools::REDIS.image).await?;
        let request = GenericImage::new(image.name, image.tag)
            .with_wait_for(WaitFor::message_on_stdout("Ready to accept connections"))
            .with_cmd(["redis-server", "--requirepass", "open sesame", "--save", ""]);
        let (ports, limit) = (&[PORT], Duration::from_secs(30));
        let started = docker::start(run, "given", request, ports, &["/data"], limit).await?;
        Ok(format!("redis://default:open%20sesame@{}", started.address(PORT).await?))
    }
}

#[cfg(all(feature = "integration", feature = "kafka"))]
mod kafka {
    use std::time::Duration;

    use rdkafka::ClientConfig;
    use rdkafka::producer::{FutureProducer, FutureRecord};

    /// A message that the broker has taken: whoever sends one goes to the address that the broker named.
    pub(super) async fn round_trip() {
        let topic = testenv::fresh_topic().await;
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", topic.brokers()).set("message.timeout.ms", "20000");
        let producer: FutureProducer = client.create().unwrap();
        let record = FutureRecord::<(), _>::to(topic.name()).payload("sent");
        producer.send(record, Duration::from_secs(20)).await.unwrap();
    }
}

fn finish(end: &str) {
    match end {
        "pass" => {}
        "panic" => panic!("as told"),
        #[expect(clippy::exit, reason = "one of the ends that the harness promises to survive")]
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        // Until a signal comes, or whoever asked is gone.
        "wait" => drop(std::io::stdin().read(&mut [0])),
        _ => panic!("no such end: {end}"),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody listens");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
