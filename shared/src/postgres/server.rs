//! The server: somebody else's, a container of the run, or a process of the run.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::{ContainerRequest, ImageExt};
use tokio::sync::OnceCell;

use super::{client, failed};
use crate::address::Address;
use crate::docker::memory;
use crate::docker::reuse::{self, Found, Kept};
use crate::provider::{POSTGRES, REUSE_VAR, Way, first_byte, say};
use crate::run::{Run, apart, held};
use crate::{Error, docker, secret, wait};

mod native;
mod removal;

pub(crate) use native::release_memory;
pub(crate) use removal::remove;
pub(super) use removal::{drop_database, drop_surely, is_lost, login};

/// Measured 1 s from nothing to ready on two cores; a loaded machine takes several times that.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A server that accepts connections and says nothing is named within the two seconds that a wrong address may take.
const SIGN_LIMIT: Duration = Duration::from_millis(1500);

/// It may be a PostgreSQL to which nine runs come at once: with every core busy it was seen to take two seconds for its first byte.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// The server may be busy with the beginnings or the ends of other runs.
const LOGIN_LIMIT: Duration = Duration::from_secs(10);

/// "Do you speak TLS?": the only request that any server answers before it asks for a name; one byte, `S` or `N`.
const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A kept server that has no connection left may have one again in a moment; one that hangs is not waited for.
const KEPT_LIMIT: Duration = Duration::from_secs(5);

/// `CREATE DATABASE … STRATEGY` and `DROP DATABASE … WITH (FORCE)`: the latter came with 13.
const OLDEST: i32 = 130_000;

/// Who started a server, in the note of it: the run, an earlier run, somebody else.
const WHOSE: [&str; 3] = [OURS, KEPT, GIVEN];
const OURS: &str = "ours";
const KEPT: &str = "kept";
const GIVEN: &str = "given";

const PORT: ContainerPort = ContainerPort::Tcp(5432);
const PORTS: &[ContainerPort] = &[PORT];
/// Where images have their data that do not say it, and the variable by which most say it.
const DATA: &str = "/var/lib/postgresql/data";
const DATA_VAR: &str = "PGDATA";

/// Of our own servers: 64 tests with ten connections each, the harness's own, and room.
pub(super) const CONNECTIONS: usize = 1000;

/// Nothing here survives a crash, and nothing has to.
const SETTINGS: [&str; 10] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    // As CONNECTIONS.
    "max_connections=1000",
    "shared_buffers=128MB",
    // A copy and a drop ask for a checkpoint: there should never be much to write.
    "max_wal_size=1GB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "jit=off",
];

/// The server of this run, as each of its processes knows it.
pub(super) struct Server {
    /// What is on one that does not end with the run is noted before it is made.
    pub(super) is_ours: bool,
    whose: &'static str,
    /// Of the database through which others are made.
    address: Address,
    pub(super) options: PgConnectOptions,
    /// From 15 on, a copy by file is chosen by name.
    pub(super) version: i32,
}

impl Server {
    /// As the run's directory keeps it, for the other processes and the keeper: who started it, its version, its URL.
    pub(super) fn read(text: &str) -> Result<Server, Error> {
        let broken = || Error::new("the run's note of its PostgreSQL server is broken");
        let mut words = text.split_whitespace();
        let (Some(whose), Some(version), Some(url)) = (words.next(), words.next(), words.next())
        else {
            return Err(broken());
        };
        let whose = WHOSE.into_iter().find(|word| *word == whose).ok_or_else(broken)?;
        let address = POSTGRES.address(url).map_err(|cause| broken().cause(cause))?;
        Ok(Server {
            is_ours: whose == OURS,
            whose,
            version: version.parse().map_err(|_| broken())?,
            options: client::options(&address)?,
            address,
        })
    }

    /// What [`Server::read`] reads.
    pub(super) fn note(&self) -> String {
        format!("{} {} {}", self.whose, self.version, self.address.whole())
    }

    /// The command that opens a database; without the password of a server that was given to us, for others may read what a test prints.
    pub(super) fn command(&self, database: &str) -> String {
        let address = self.address.of_database(database);
        let url = if self.whose == GIVEN { address.without_secrets() } else { address.whole() };
        format!("psql '{url}'")
    }

    /// The URL of another database of the server, with the user's own parameters: a client may not know those of our driver.
    pub(super) fn url_of(&self, database: &str) -> String {
        self.address.of_database(database).whole()
    }

    /// What a client is told of it.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }
}

/// The server of the run, started by the first process that asks.
pub(super) async fn connect() -> Result<(&'static Run, &'static Server), Error> {
    static SERVER: OnceCell<(&Run, Server)> = OnceCell::const_new();
    let found = SERVER.get_or_try_init(|| {
        apart(async || {
            let run = Run::join()?;
            let text = run.once(POSTGRES.name, provide).await?;
            let server = Server::read(&text)?;
            if server.whose == KEPT {
                held::hold_all(run).await?;
            }
            Ok((run, server))
        })
    });
    found.await.map(|(run, server)| (*run, server))
}

async fn provide(run: &'static Run) -> Result<String, Error> {
    let mut known = None;
    let (whose, address) = match POSTGRES.choose()? {
        Way::Url(address) => {
            say(POSTGRES.name, &format!("the server of {}", POSTGRES.url_var));
            (GIVEN, address)
        }
        Way::Docker(_) if reuse::wanted() => {
            let (whose, address, greeted) = kept(run).await?;
            known = greeted;
            (whose, address)
        }
        Way::Docker(_) => (OURS, own_container(run).await?),
        Way::Native(programs) => {
            (OURS, native::start(run, &programs, &SETTINGS, START_LIMIT).await?)
        }
    };
    let (version, mut admin) = match known {
        Some(greeted) => greeted,
        None => greet(&address, whose == GIVEN).await?,
    };
    let note = format!("{whose} {version} {}", address.whole());
    if whose != OURS {
        failed::sweep(&Server::read(&note)?, &mut admin).await?;
    }
    // Nobody waits for the goodbye.
    drop(admin.close().await);
    Ok(note)
}

/// The address of a server that takes the password `first`, until [`lock`] has given it another.
async fn in_container(run: &'static Run, first: String) -> Result<String, Error> {
    let image = docker::resolve(POSTGRES.image).await?;
    let unset = format!("{} is not set", POSTGRES.url_var);
    say(POSTGRES.name, &format!("a container of {image} ({}; {unset})", image.why));
    let request = request(&image, &first);
    let data = memory::of(&image, DATA_VAR, DATA).await?;
    let started = docker::start_with(run, POSTGRES.name, request, PORTS, data, START_LIMIT).await?;
    started.address(PORT).await
}

async fn own_container(run: &'static Run) -> Result<Address, Error> {
    let (first, password) = (secret::password(), secret::password());
    let place = docker::on_engine(in_container(run, first.clone())).await?;
    lock(&first, &password, &place).await
}

/// Gives the server of a container its password, and returns its address.
///
/// The `first` one, with which it was started, stands in the environment of the container, where whoever may use the engine can read it.
async fn lock(first: &str, password: &str, place: &str) -> Result<Address, Error> {
    let failed = |cause: sqlx::Error| {
        Error::new("the PostgreSQL server of the container takes no password").cause(cause)
    };
    // In a message of its own: what a message holds is logged before any of it is done.
    let quiet = "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'";
    let alter = format!("ALTER ROLE postgres PASSWORD '{password}'");
    let options = client::options(&address(first, place)?)?;
    // The server is ready when it says so, the engine's way to it a moment later.
    let what = "a login to the PostgreSQL server of the container";
    let mut admin = wait::until(LOGIN_LIMIT, what, async || options.connect().await).await?;
    admin.execute(sqlx::raw_sql(quiet)).await.map_err(failed)?;
    admin.execute(sqlx::raw_sql(AssertSqlSafe(alter))).await.map_err(failed)?;
    drop(admin.close().await);
    address(password, place)
}

/// The server that is kept between runs, greeted, or started where none runs. One that runs and does not let us in may serve others: it is left alone, and
/// the run has a server of its own.
async fn kept(
    run: &'static Run,
) -> Result<(&'static str, Address, Option<(i32, PgConnection)>), Error> {
    let image = docker::on_engine(docker::resolve(POSTGRES.image)).await?;
    let kept = Kept::lock(POSTGRES.name, &image, &SETTINGS).await?;
    let container = kept.container();
    let (kept, found) = docker::on_engine(async move {
        let found = kept.find(PORT).await;
        (kept, found)
    })
    .await;
    let unusable = match found? {
        Found::Running(place, password) => {
            let address = address(&password, &place)?;
            match wait::until(KEPT_LIMIT, "a login", async || greet(&address, false).await).await {
                Ok(greeted) => {
                    kept.used(run).await?;
                    say(POSTGRES.name, &format!("the kept container of {image} ({REUSE_VAR})"));
                    return Ok((KEPT, address, Some(greeted)));
                }
                Err(error) => error.to_string(),
            }
        }
        Found::Nothing => {
            say(POSTGRES.name, &format!("a container of {image}, to be kept ({REUSE_VAR})"));
            let (first, password) = (secret::password(), secret::password());
            let (request, noted) = (request(&image, &first), password.clone());
            kept.used(run).await?;
            let place = docker::on_engine(async move {
                let data = memory::of(&image, DATA_VAR, DATA).await?;
                let started = kept.start(POSTGRES.name, &noted, request, PORTS, data, START_LIMIT);
                started.await?.address(PORT).await
            });
            let address = lock(&first, &password, &place.await?).await?;
            return Ok((KEPT, address, None));
        }
        Found::Unusable(why) => why,
    };
    say(
        POSTGRES.name,
        &format!(
            "the kept container {container} is left alone, and this run starts a server of its own ({}); `{}` ends it",
            unusable.replace('\n', ";"),
            crate::cure::command("reuse stop")
        ),
    );
    Ok((OURS, own_container(run).await?, None))
}

fn request(image: &docker::Chosen, password: &str) -> ContainerRequest<Postgres> {
    Postgres::default()
        .with_user("postgres")
        .with_password(password)
        .with_name(&image.name)
        .with_tag(&image.tag)
        // SCRAM's 4096 rounds cost a debug build 38 ms per connection, md5 1 ms; the password is made up and not used elsewhere.
        .with_env_var("POSTGRES_INITDB_ARGS", "--auth-host=md5 --no-sync")
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "md5")
        .with_cmd(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
}

/// Of a server of ours at `host:port`.
fn address(password: &str, place: &str) -> Result<Address, Error> {
    let url = format!("postgres://postgres:{password}@{place}/postgres?sslmode=disable");
    POSTGRES.address(&url).map_err(|cause| {
        Error::new("the PostgreSQL server is at no address of this machine's").cause(cause)
    })
}

/// The version of the server and a session, once it is sure that databases can be made there.
async fn greet(address: &Address, given: bool) -> Result<(i32, PgConnection), Error> {
    let refused = |cause: String| {
        let error = Error::new("the PostgreSQL server cannot be used").cause(cause);
        if given {
            let var = POSTGRES.url_var;
            error.fix(format!(
                "correct {var}, or `unset {var}` to have a server started for the run"
            ))
        } else {
            error.fix(crate::cure::command("doctor"))
        }
    };
    let options = client::options(address)?;
    let start = Instant::now();
    let mut sign = first_byte(address, SSL_REQUEST, SIGN_LIMIT);
    if sign.is_err() && start.elapsed() >= SIGN_LIMIT {
        say(
            POSTGRES.name,
            &format!("no answer within {SIGN_LIMIT:?}; waiting {BUSY_LIMIT:?} more"),
        );
        sign = first_byte(address, SSL_REQUEST, BUSY_LIMIT);
    }
    let sign = sign.map_err(refused)?;
    if !matches!(sign, b'S' | b'N') {
        return Err(refused("it does not speak PostgreSQL's protocol".into()));
    }
    let connected = tokio::time::timeout(LOGIN_LIMIT, options.connect()).await;
    let mut admin = connected
        .map_err(|_| refused(format!("no login within {LOGIN_LIMIT:?}")))?
        .map_err(|error| refused(error.to_string()))?;
    // Most servers say it with their greeting; a fork may say there what is no number.
    let version = match admin.server_version_num() {
        Some(version) => version.cast_signed(),
        None => asked(&mut admin, "SELECT current_setting('server_version_num')::int")
            .await
            .map_err(refused)?,
    };
    if version < OLDEST {
        return Err(refused(format!(
            "it is version {}; {} is the oldest that can be used",
            version / 10_000,
            OLDEST / 10_000
        )));
    }
    let right = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user";
    let may: bool = asked(&mut admin, right).await.map_err(refused)?;
    if !may {
        return Err(
            refused("its user may not create databases".into()).fix("ALTER ROLE <user> CREATEDB")
        );
    }
    Ok((version, admin))
}

/// The answer of a server that has let us in, and may fall silent all the same.
async fn asked<T>(admin: &mut PgConnection, sql: &'static str) -> Result<T, String>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let answer = sqlx::query_scalar(sql).fetch_one(admin);
    let answer = tokio::time::timeout(LOGIN_LIMIT, answer).await;
    let answer = answer.map_err(|_| format!("no answer to a query within {LOGIN_LIMIT:?}"))?;
    answer.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{CONNECTIONS, SETTINGS, Server};

    #[test]
    fn the_limit_that_a_failed_test_is_told_is_the_servers() {
        assert!(SETTINGS.contains(&format!("max_connections={CONNECTIONS}").as_str()));
    }

    #[test]
    fn a_given_password_stands_in_no_command() {
        let command = |note: &str| Server::read(note).unwrap().command("x");

        assert_eq!(
            command("given 150000 postgres://u:p%2F@h:1/db?sslmode=allow&sslpassword=p"),
            "psql 'postgres://u@h:1/x?sslmode=allow'"
        );
        assert_eq!(command("given 150000 postgres://u@h:1"), "psql 'postgres://u@h:1/x'");
        assert_eq!(command("given 150000 postgres://h"), "psql 'postgres://h:5432/x'");
        assert_eq!(command("ours 150000 postgres://u:p@h:1/db"), "psql 'postgres://u:p@h:1/x'");
    }

    #[test]
    fn the_url_of_a_database_keeps_the_users_parameters() {
        let url_of = |url: &str| Server::read(&format!("given 150000 {url}")).unwrap().url_of("x");

        assert_eq!(
            url_of("postgres://u:p%2F@h:1/db?sslmode=disable"),
            "postgres://u:p%2F@h:1/x?sslmode=disable"
        );
        assert_eq!(url_of("postgres://u@h?a=b"), "postgres://u@h:5432/x?a=b");
    }
}
