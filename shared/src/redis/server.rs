//! The server: somebody else's, a container of the run, or a process of the run.

use std::time::{Duration, Instant};

use redis::{Client, Connection, IntoConnectionInfo, RedisError, RedisResult};
use testcontainers_modules::redis::{REDIS_PORT, Redis};
use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::{CopyTargetOptions, ImageExt};

use super::{leases, native};
use crate::address::Address;
use crate::provider::{REACH_LIMIT, REDIS, Way, reach, say};
use crate::run::Run;
use crate::run::cleaner::Refused;
use crate::{Error, docker, secret, wait};

/// Measured 0.1 to 0.5 s from nothing to ready on two cores; a loaded machine takes several times that.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A server that accepts connections and is no Redis is found out within the two seconds that a wrong address may take.
pub(super) const SIGN_LIMIT: Duration = Duration::from_millis(1100);

/// A command on an idle server takes microseconds; one that forks or swaps takes seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Of our own servers: more than tests that live at once. Not more, because Redis looks for expired keys in sixteen databases at a time: with 1024 and its
/// usual ten looks a second, `DBSIZE` counted a key for up to 4.5 s after its end.
const DATABASES: u32 = 256;

/// Looks a second: each database is looked at after 0.16 s, as it is on a server of sixteen databases with its ten looks.
pub(super) const LOOKS: u32 = 100;

/// Of a given server: a look at the leases asks each database for its size.
const MOST_OF_A_GIVEN: u32 = 256;

const PORT: ContainerPort = ContainerPort::Tcp(REDIS_PORT);
const PORTS: &[ContainerPort] = &[PORT];
/// Where images have their data that do not say it, and the variable by which some say it.
const DATA: &str = "/data";
const DATA_VAR: &str = "REDIS_DATA_DIR";

/// In a container. Not in `/data`, which is mounted over.
const SETTINGS: &str = "/etc/testenv-redis.conf";

/// The server of this run, as each of its processes knows it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Who started it: on somebody else's server, runs lease databases from each other.
    pub(super) is_ours: bool,
    /// The count of its databases, the first included.
    pub(super) databases: u32,
    address: Address,
}

impl Server {
    /// As the run's directory keeps it, for the other processes and the keeper: who started it, its databases, its URL.
    pub(super) fn read(text: &str) -> Result<Server, Error> {
        let broken = || Error::new("the run's note of its Redis server is broken");
        let mut words = text.split_whitespace();
        let (Some(whose), Some(databases), Some(url)) = (words.next(), words.next(), words.next())
        else {
            return Err(broken());
        };
        Ok(Server {
            is_ours: whose == "ours",
            databases: databases.parse().map_err(|_| broken())?,
            address: REDIS.address(url).map_err(|cause| broken().cause(cause))?,
        })
    }

    pub(super) fn text(&self) -> String {
        format!(
            "{} {} {}",
            if self.is_ours { "ours" } else { "given" },
            self.databases,
            self.address.whole()
        )
    }

    /// The numbers that tests can have. Not 0: a client that forgets the number of its URL lands there, and meets nobody.
    pub(super) fn numbers(&self) -> std::ops::Range<u32> {
        1..self.databases
    }

    /// To database 0.
    pub(super) fn url(&self) -> String {
        self.address.whole()
    }

    pub(super) fn url_of(&self, number: u32) -> String {
        self.address.of_database(&number.to_string()).whole()
    }

    /// Opens a connection to database 0, to be used on a thread that may wait.
    pub(super) fn connect(&self) -> RedisResult<Connection> {
        let info = self.address.whole().into_connection_info()?;
        // The limit is for each answer, so no more is asked than has to be.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let client = Client::open(info.set_redis_settings(settings))?;
        let connection = client.get_connection_with_timeout(SIGN_LIMIT)?;
        connection.set_read_timeout(Some(ANSWER_LIMIT))?;
        connection.set_write_timeout(Some(ANSWER_LIMIT))?;
        Ok(connection)
    }
}

/// Returns the text of the run's server; started, where it is ours, and answering.
pub(super) async fn provide(run: &'static Run) -> Result<String, Error> {
    let server = match REDIS.choose()? {
        Way::Url(address) => {
            say(REDIS.name, &format!("the server of {}", REDIS.url_var));
            greet(address)?
        }
        Way::Docker(_) => {
            let server = ours(&docker::on_engine(in_container(run)).await?)?;
            // The server is ready when it says so, the engine's way to it a moment later.
            let what = "an answer of the Redis server";
            wait::until(START_LIMIT, what, async || server.connect().map(drop)).await?;
            server
        }
        Way::Native(programs) => {
            let [program] = &programs[..] else { unreachable!("the service names one program") };
            say(REDIS.name, &format!("{} ({} is not set)", program.display(), REDIS.url_var));
            let password = secret::password();
            ours(&native::start(run, program, DATABASES, &password, START_LIMIT).await?)?
        }
    };
    Ok(server.text())
}

/// Gives back whatever the run leased on somebody else's server; for the keeper.
pub(crate) fn remove(run: &str, _name: &str, note: &str) -> Result<(), Refused> {
    let server = Server::read(note).map_err(|error| error.to_string())?;
    reach(&server.address, REACH_LIMIT).map_err(Refused::Unreachable)?;
    let words = |error: RedisError| match reach(&server.address, REACH_LIMIT) {
        Ok(()) => Refused::Stays(error.to_string()),
        Err(_) => Refused::Unreachable(error.to_string()),
    };
    let mut connection = server.connect().map_err(words)?;
    leases::release_all(&mut connection, &server, run).map_err(words)
}

fn ours(url: &str) -> Result<Server, Error> {
    let address = REDIS.address(url).map_err(|cause| {
        Error::new("the Redis server is at no address of this machine's").cause(cause)
    })?;
    Ok(Server { is_ours: true, databases: DATABASES, address })
}

async fn in_container(run: &'static Run) -> Result<String, Error> {
    let image = docker::resolve(REDIS.image).await?;
    say(
        REDIS.name,
        &format!("a container of {image} ({}; {} is not set)", image.why, REDIS.url_var),
    );
    let password = secret::password();
    // Its words are the server's own: any image has them. Everybody in the container may read it, for who runs Redis there is the image's affair.
    let settings = CopyTargetOptions::new(SETTINGS).with_mode(0o644);
    let request = Redis::default()
        .with_name(&image.name)
        .with_tag(&image.tag)
        .with_copy_to(settings, settings_of(DATABASES, &password).into_bytes())
        .with_cmd(["redis-server", SETTINGS]);
    let data = docker::memory::of(&image, DATA_VAR, DATA).await?;
    let started = docker::start_with(run, REDIS.name, request, PORTS, data, START_LIMIT).await?;
    Ok(format!("redis://:{password}@{}", started.address(PORT).await?))
}

/// What both of our servers are told, by a file, for everybody can read a command line.
pub(super) fn settings_of(databases: u32, password: &str) -> String {
    // Nothing here survives a crash, and nothing has to.
    let common = format!("databases {databases}\nhz {LOOKS}\nsave \"\"\nappendonly no\n");
    // A server that is told by a file decides for itself whether it answers strangers; those of a container are on the other side of its port.
    format!("{common}protected-mode no\nrequirepass {password}\n")
}

/// The given server, once it is sure that databases can be leased there.
fn greet(address: Address) -> Result<Server, Error> {
    let start = Instant::now();
    let var = REDIS.url_var;
    let refused = |cause: String| {
        Error::new(format!("the Redis server of {var} cannot be used"))
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
    let mut server = Server { is_ours: false, databases: 1, address };
    let mut connection = server.connect().map_err(words)?;
    let left = SIGN_LIMIT.saturating_sub(start.elapsed()).max(Duration::from_millis(100));
    connection.set_read_timeout(Some(left)).map_err(words)?;
    redis::cmd("PING").exec(&mut connection).map_err(words)?;
    server.databases = count(&mut connection).map_err(words)?;
    if server.databases == 1 {
        return Err(refused("it has one database only (a cluster, or `databases 1`)".into()));
    }
    Ok(server)
}

/// The count of the server's databases, which a user who may not read its configuration can find by trying.
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

#[cfg(test)]
mod tests {
    use super::Server;

    #[test]
    fn the_url_of_a_database_keeps_user_password_and_options() {
        let server =
            Server::read("given 16 redis://me:p%40ss@cache.local:6380/?protocol=3").unwrap();

        assert_eq!(server.url_of(7), "redis://me:p%40ss@cache.local:6380/7?protocol=3");
    }

    #[test]
    fn a_server_is_read_as_it_was_written() {
        let text = "ours 1024 redis://:secret@127.0.0.1:1234";

        assert_eq!(Server::read(text).unwrap().text(), text);
    }
}
