//! The part of a run's server that is specific to Redis.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redis::{Client, Connection, IntoConnectionInfo, RedisError, RedisResult};
use testcontainers_modules::redis::{REDIS_PORT, Redis};
use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::{ContainerRequest, CopyTargetOptions, ImageExt};

use super::remote_leases;
use crate::address::Address;
use crate::docker::Chosen;
use crate::provider::{REACH_LIMIT, reach};
use crate::run::cleaner::Refused;
use crate::run::{DIR_VAR, Run};
use crate::server::{self, Data, Origin, Process, Secrets, Served};
use crate::service::{REDIS, Service};
use crate::{Error, Heading, cure, project, secret};

/// The limit for the first answer. A wrong address must be reported within two seconds, also if a
/// server accepts connections and is no Redis.
pub(super) const SIGN_LIMIT: Duration = Duration::from_millis(1100);

/// A command on an idle server takes microseconds. On a server that forks or swaps it takes
/// seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// For our own servers: more than the number of tests that live at once. Not more than that,
/// because Redis looks for expired keys in sixteen databases at a time. With 1024 databases and the
/// usual ten looks a second, `DBSIZE` counted a key for up to 4.5 s after its end.
const DATABASES: u32 = 256;

/// For a given server: to look at the leases, each database is asked for its size.
const MOST_OF_A_GIVEN: u32 = 256;

/// The file in a container. It is not in `/data`, because a directory is mounted there.
const SETTINGS_FILE: &str = "/etc/testenv-redis.conf";

/// The server of this run, as each of its processes knows it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Whether the server ends with the run. On any other server, runs lease databases from each
    /// other.
    pub(super) is_ours: bool,
    /// How many databases the server has, including database 0.
    pub(super) databases: u32,
    known: server::Server,
}

impl Server {
    fn new(known: server::Server) -> Result<Server, Error> {
        let broken = |_| {
            Error::under(
                Heading::State,
                "the run's note of its Redis server has no count of databases",
            )
        };
        let databases = known.facts.parse().map_err(broken)?;
        Ok(Server { is_ours: known.is_owned(), databases, known })
    }

    fn read(note: &str) -> Result<Server, Error> {
        server::Server::read(&REDIS, note).and_then(Server::new)
    }

    /// The text for the reaper.
    pub(super) fn note(&self) -> String {
        self.known.note()
    }

    /// The command that opens a database. The password of an external server belongs to the
    /// server's owner, and many people read logs. So the shell fills it in.
    pub(super) fn command(&self, number: u32) -> String {
        match self.known.origin {
            Origin::External => format!("redis-cli -u \"${}\" -n {number}", REDIS.url_var),
            Origin::Owned | Origin::Kept => format!("redis-cli -u {}", self.url_of(number)),
        }
    }

    /// The numbers that tests can have. Not 0: a client that forgets the number of its URL lands
    /// there, and disturbs nobody.
    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        1..self.databases
    }

    /// The URL of database 0.
    pub(super) fn url(&self) -> String {
        self.known.address.whole()
    }

    pub(super) fn url_of(&self, number: u32) -> String {
        self.known.address.of_database(&number.to_string()).whole()
    }

    /// Opens a connection to database 0, for a thread that may block.
    pub(super) fn connect(&self) -> RedisResult<Connection> {
        connect(&self.known.address)
    }
}

fn connect(address: &Address) -> RedisResult<Connection> {
    let info = address.whole().into_connection_info()?;
    // The limit is for each answer, so no more is asked than has to be.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    let client = Client::open(info.set_redis_settings(settings))?;
    let connection = client.get_connection_with_timeout(SIGN_LIMIT)?;
    connection.set_read_timeout(Some(ANSWER_LIMIT))?;
    connection.set_write_timeout(Some(ANSWER_LIMIT))?;
    Ok(connection)
}

/// The server of the run. It is called once per process.
pub(super) async fn of_the_run() -> Result<(&'static Run, Server), Error> {
    let (run, known) = server::connect::<OfRedis>().await?;
    Ok((run, Server::new(known)?))
}

struct OfRedis;

impl Served for OfRedis {
    const SERVICE: &'static Service = &REDIS;
    const PORT: ContainerPort = ContainerPort::Tcp(REDIS_PORT);
    const DATA: Data = Data::OfTheImage { var: "REDIS_DATA_DIR", usual: "/data" };
    /// Measured 0.1 to 0.5 s on two cores; a loaded machine takes several times that.
    const START_LIMIT: Duration = Duration::from_secs(60);
    const SETTINGS: &'static [&'static str] = &[SETTINGS];
    type Image = Redis;

    fn container(image: &Chosen, secrets: &Secrets, _: Option<&str>) -> ContainerRequest<Redis> {
        // Its words are the server's own: any image has them. Everybody in the container may read it, for who
        // runs Redis there is the image's affair.
        let settings = CopyTargetOptions::new(SETTINGS_FILE).with_mode(0o644);
        Redis::default()
            .with_name(&image.name)
            .with_tag(&image.tag)
            .with_copy_to(settings, settings_of(secrets).into_bytes())
            .with_cmd(["redis-server", SETTINGS_FILE])
    }

    fn url(password: &str, place: &str) -> String {
        format!("redis://:{password}@{place}")
    }

    async fn process(
        run: &'static Run,
        programs: &[PathBuf],
        secrets: &Secrets,
    ) -> Result<Process, Error> {
        let [program] = programs else { unreachable!("the service names one program") };
        let (dir, common) = (run.dir(), settings_of(secrets));
        let arguments = move |port: u16| {
            let file = dir.join("redis.conf");
            let settings = settings_of_a_process(dir, port) + &common;
            secret::write(&file, &settings).map_err(|cause| {
                Error::under(Heading::State, format!("cannot write {}", file.display()))
                    .cause(cause)
                    .fix(format!("export {DIR_VAR}=<a directory of yours with space left>"))
            })?;
            Ok(vec![file.to_string_lossy().into_owned()])
        };
        Ok(Process {
            program: program.clone(),
            arguments: Box::new(arguments),
            user: None,
            port_taken: "Address already in use",
        })
    }

    async fn answers(address: &Address) -> Result<(), String> {
        connect(address).map(drop).map_err(|error| error.to_string())
    }

    async fn handshake(address: &Address, origin: Origin) -> Result<String, Error> {
        match origin {
            Origin::Owned => Ok(DATABASES.to_string()),
            Origin::Kept => {
                Self::answers(address).await.map_err(Error::new)?;
                Ok(DATABASES.to_string())
            }
            Origin::External => Ok(handshake(address)?.to_string()),
        }
    }
}

/// Gives back everything that the run leased on an external server. It is for the reaper.
pub(crate) fn remove(run: &str, _name: &str, note: &str) -> Result<(), Refused> {
    let server = Server::read(note).map_err(|error| error.to_string())?;
    // A server that is gone is found out at once.
    let released = reach(&server.known.address, REACH_LIMIT).and_then(|()| {
        let released = server
            .connect()
            .and_then(|mut connection| remote_leases::release_all(&mut connection, &server, run));
        released.map_err(|error| error.to_string())
    });
    released.or_else(|why| server.known.refused(why))
}

/// The number of databases is [`DATABASES`]. With a hundred looks a second, Redis looks at each
/// database after 0.16 s. That is as fast as on a server of sixteen databases with the usual ten
/// looks.
///
/// No data on a server of ours survives a crash, and none has to. A server that reads a file
/// decides for itself whether it answers strangers. Strangers to a server in a container are on the
/// other side of its port.
const SETTINGS: &str = "databases 256\nhz 100\nsave \"\"\nappendonly no\nprotected-mode no\n";

/// The settings of both kinds of our servers. They are in a file, because everybody can read a
/// command line.
fn settings_of(secrets: &Secrets) -> String {
    // A mistake in them was an error before any server starts. Of two lines of a name, the last counts.
    let wishes = project::of(REDIS.name).unwrap_or_default().settings;
    let line = |(name, value): &(String, String)| {
        let value = if value.is_empty() { "\"\"" } else { value };
        format!("{name} {value}\n")
    };
    let wishes: String = wishes.iter().map(line).collect();
    format!("{SETTINGS}{wishes}requirepass {}\n", secrets.lasting)
}

fn settings_of_a_process(dir: &Path, port: u16) -> String {
    let dir = dir.to_string_lossy().replace('\\', r"\\").replace('"', "\\\"");
    format!("bind 127.0.0.1\nport {port}\ndir \"{dir}\"\ndaemonize no\n")
}

/// How many databases an external server has. Fails if they cannot be leased.
fn handshake(address: &Address) -> Result<u32, Error> {
    let start = Instant::now();
    let var = REDIS.url_var;
    let refused = |cause: String| {
        Error::under(Heading::Given, format!("the Redis server of {var} cannot be used"))
            .cause(cause)
            .fix(format!(
                "export {var}=redis://<user>:<password>@<host>:<port>, of a Redis from version 6 on"
            ))
            .fix(format!("`unset {var}` to have a server started for the run"))
    };
    let words = |error: RedisError| {
        let mute = format!("no answer within {SIGN_LIMIT:?}");
        refused(if error.is_timeout() { mute } else { error.to_string() })
    };

    if let Some(number) = address.database().filter(|number| *number != "0") {
        return Err(refused(format!(
            "it names database {number}, but each test takes an empty one of its own: leave the number out"
        )));
    }
    let mut connection = connect(address).map_err(words)?;
    let left = SIGN_LIMIT.saturating_sub(start.elapsed()).max(Duration::from_millis(100));
    connection.set_read_timeout(Some(left)).map_err(words)?;
    redis::cmd("PING").exec(&mut connection).map_err(words)?;
    let databases = count(&mut connection).map_err(words)?;
    if databases == 1 {
        return Err(refused("it has one database only (a cluster, or `databases 1`)".into()));
    }
    Ok(databases)
}

/// How many databases the server has. A user who may not read the server's configuration can find
/// that out by trying.
fn count(connection: &mut Connection) -> RedisResult<u32> {
    let (mut there, mut beyond) = (0, MOST_OF_A_GIVEN);
    while beyond - there > 1 {
        let middle = there.midpoint(beyond);
        match redis::cmd("SELECT").arg(middle).exec(connection) {
            Ok(()) => there = middle,
            Err(error) if error.is_io_error() => return Err(error),
            Err(_out_of_range) => beyond = middle,
        }
    }
    Ok(beyond)
}

/// The error of a server that answered when the run began, and later refuses or does not answer.
pub(super) fn failed(cause: RedisError) -> Error {
    let error = if cause.is_io_error() {
        Error::under(Heading::Given, "the Redis server does not answer any more")
    } else {
        Error::under(Heading::Given, "the Redis server refuses what a test needs")
    };
    error.cause(cause).fix(cure::command("doctor"))
}

#[cfg(test)]
mod tests {
    use super::{DATABASES, SETTINGS, Server};

    #[test]
    fn our_servers_have_as_many_databases_as_the_harness_counts_on() {
        assert!(SETTINGS.starts_with(&format!("databases {DATABASES}\n")));
    }

    #[test]
    fn the_url_of_a_database_keeps_user_password_and_options() {
        let server =
            Server::read("external 16 redis://me:p%40ss@cache.local:6380/?protocol=3").unwrap();

        assert_eq!(server.url_of(7), "redis://me:p%40ss@cache.local:6380/7?protocol=3");
    }

    #[test]
    fn the_password_of_somebody_elses_server_stands_in_no_command() {
        let command = |note: &str| Server::read(note).unwrap().command(7);

        assert_eq!(
            command("external 16 redis://:secret@h:1"),
            "redis-cli -u \"$TESTENV_REDIS_URL\" -n 7"
        );
        assert_eq!(command("kept 16 redis://:secret@h:1"), "redis-cli -u redis://:secret@h:1/7");
    }
}
