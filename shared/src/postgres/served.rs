//! How the server of the run is provided: the part that is specific to PostgreSQL.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::{ContainerRequest, ImageExt};
use tokio::sync::OnceCell;

use super::server::{LOGIN_LIMIT, Server};
use super::template::role::QUIET;
use super::{client, failed, pooler};
use crate::address::Address;
use crate::docker::Chosen;
use crate::provider::{announce, first_byte};
use crate::run::Run;
use crate::server::{self, Data, Origin, Process, Secrets, Served};
use crate::service::{POSTGRES, Service};
use crate::{Error, Heading, cure, project, wait};

mod native;

pub(crate) use native::release_memory;

/// The limit for the first byte. A wrong address must be reported within two seconds, also if a
/// server accepts connections and says nothing.
const SIGN_LIMIT: Duration = Duration::from_millis(1500);

/// The limit for a server that may be a PostgreSQL to which nine runs come at once. With every core
/// busy, such a server took two seconds for its first byte.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// "Do you speak TLS?": the only request that any server answers before it asks for a name. The
/// answer is one byte, `S` or `N`.
const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

const TLS: &str = "add the harness's feature `tls`, if the connection has to be encrypted";

/// `DROP DATABASE … WITH (FORCE)` came with 13. CI tries the promises on this version too.
const OLDEST: i32 = 130_000;

/// No data here survives a crash, and none has to.
const SETTINGS: &[&str] = &[
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

/// Ours, and then the project's: the server takes the last one of a name.
fn settings() -> impl Iterator<Item = String> {
    // A mistake in them was an error before any server starts.
    let wishes = project::of(POSTGRES.name).unwrap_or_default();
    let ours = SETTINGS.iter().map(|setting| (*setting).to_owned());
    ours.chain(wishes.settings.into_iter().map(|(name, value)| format!("{name}={value}")))
}

/// The server of the run, as this process knows it.
pub(super) async fn connect() -> Result<(&'static Run, &'static Server), Error> {
    static SERVER: OnceCell<(&Run, Server)> = OnceCell::const_new();
    let found = SERVER.get_or_try_init(async || {
        let (run, known) = server::connect::<Postgresql>().await?;
        Ok((run, Server::new(known)?))
    });
    found.await.map(|(run, server)| (*run, server))
}

struct Postgresql;

impl Served for Postgresql {
    const SERVICE: &'static Service = &POSTGRES;
    const PORT: ContainerPort = ContainerPort::Tcp(5432);
    const DATA: Data = Data::OfTheImage { var: "PGDATA", usual: "/var/lib/postgresql/data" };
    /// Measured 1 s on two cores; a loaded machine takes several times that.
    const START_LIMIT: Duration = Duration::from_secs(60);
    const SETTINGS: &'static [&'static str] = SETTINGS;
    type Image = Postgres;

    fn container(image: &Chosen, secrets: &Secrets, _: Option<&str>) -> ContainerRequest<Postgres> {
        Postgres::default()
            .with_user("postgres")
            .with_password(&secrets.first)
            .with_name(&image.name)
            .with_tag(&image.tag)
            // SCRAM's 4096 rounds cost a debug build 38 ms per connection, md5 1 ms; the password is made up
            // and not used elsewhere.
            .with_env_var("POSTGRES_INITDB_ARGS", "--auth-host=md5 --no-sync")
            .with_env_var("POSTGRES_HOST_AUTH_METHOD", "md5")
            .with_cmd(settings().flat_map(|setting| ["-c".to_owned(), setting]))
    }

    fn url(password: &str, place: &str) -> String {
        format!("postgres://postgres:{password}@{place}/postgres?sslmode=disable")
    }

    async fn secure(secrets: &Secrets, place: &str) -> Result<(), Error> {
        let failed = |cause: sqlx::Error| {
            Error::under(
                Heading::Start,
                "cannot set the password of the PostgreSQL server in the container",
            )
            .cause(client::said(&cause))
        };
        let alter = format!("ALTER ROLE postgres PASSWORD '{}'", secrets.lasting);
        let options = client::options(&server::address::<Postgresql>(&secrets.first, place)?)?;
        // The server is ready when it says so, the engine's way to it a moment later.
        let what = "a login to the PostgreSQL server of the container";
        let mut admin = wait::until(LOGIN_LIMIT, what, async || options.connect().await).await?;
        admin.execute(sqlx::raw_sql(QUIET)).await.map_err(failed)?;
        admin.execute(sqlx::raw_sql(AssertSqlSafe(alter))).await.map_err(failed)?;
        drop(admin.close().await);
        Ok(())
    }

    async fn process(
        run: &'static Run,
        programs: &[PathBuf],
        secrets: &Secrets,
    ) -> Result<Process, Error> {
        native::prepare(run, programs, secrets)
    }

    async fn answers(address: &Address) -> Result<(), String> {
        let options = client::options(address).map_err(|error| error.to_string())?;
        let session = options.connect().await.map_err(|error| client::said(&error))?;
        // Nobody waits for the goodbye.
        drop(session.close().await);
        Ok(())
    }

    async fn handshake(address: &Address, origin: Origin) -> Result<String, Error> {
        let (facts, mut admin) = handshake(address, origin == Origin::External).await?;
        if origin != Origin::Owned {
            let known = server::Server { origin, facts: facts.clone(), address: address.clone() };
            failed::sweep(&Server::new(known)?, &mut admin).await?;
        }
        drop(admin.close().await);
        Ok(facts)
    }
}

/// Returns what must be known of the server, and a session, after it is sure that databases can be
/// created there.
async fn handshake(address: &Address, given: bool) -> Result<(String, PgConnection), Error> {
    let refused = |cause: String| {
        let error =
            Error::under(Heading::Given, "the PostgreSQL server cannot be used").cause(cause);
        if given {
            let var = POSTGRES.url_var;
            error.fix(format!(
                "correct {var}, or `unset {var}` to have a server started for the run"
            ))
        } else {
            error.fix(cure::command("doctor"))
        }
    };
    let options = client::options(address)?;
    let start = Instant::now();
    let mut sign = first_byte(address, SSL_REQUEST, SIGN_LIMIT);
    if sign.is_err() && start.elapsed() >= SIGN_LIMIT {
        announce(
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
    // It speaks TLS, and perhaps nothing else: an address may ask for it, or the server's pg_hba.conf.
    let may_want_tls = !cfg!(feature = "tls") && sign == b'S';
    let tls = |error: Error| if may_want_tls { error.fix(TLS) } else { error };
    let mut admin = connected
        .map_err(|_| refused(format!("no login within {LOGIN_LIMIT:?}")))?
        .map_err(|error| tls(pooler::told(&error, refused)))?;
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
    if given {
        let looked = pooler::expect_none(&mut admin, &options, refused);
        let looked = tokio::time::timeout(LOGIN_LIMIT, looked).await;
        looked.map_err(|_| refused(format!("no answer to a query within {LOGIN_LIMIT:?}")))??;
    }
    let rights = "SELECT CASE WHEN rolsuper THEN 'superuser' WHEN rolcreatedb THEN 'creator' END
        FROM pg_roles WHERE rolname = current_user";
    let role: Option<String> = asked(&mut admin, rights).await.map_err(refused)?;
    let Some(role) = role else {
        return Err(
            refused("its user may not create databases".into()).fix("ALTER ROLE <user> CREATEDB")
        );
    };
    Ok((format!("{version}/{role}"), admin))
}

/// The answer of a server that has accepted the login, and may still fall silent.
async fn asked<T>(admin: &mut PgConnection, sql: &'static str) -> Result<T, String>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let answer = sqlx::query_scalar(sql).fetch_one(admin);
    let answer = tokio::time::timeout(LOGIN_LIMIT, answer).await;
    let answer = answer.map_err(|_| format!("no answer to a query within {LOGIN_LIMIT:?}"))?;
    answer.map_err(|error| client::said(&error))
}

#[cfg(test)]
mod tests {
    use super::super::server::CONNECTIONS;
    use super::SETTINGS;

    #[test]
    fn the_limit_that_a_failed_test_is_told_is_the_servers() {
        assert!(SETTINGS.contains(&format!("max_connections={CONNECTIONS}").as_str()));
    }
}
