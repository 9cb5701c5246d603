//! The server of the run, as each process knows it.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use super::client;
use crate::address::Address;
use crate::server::{self, Origin};
use crate::service::POSTGRES;
use crate::{Error, Heading};

mod removal;

pub(crate) use removal::remove;
pub(super) use removal::{drop_database, drop_surely, execute, is_lost, login};

/// The limit of a login. The server may be busy because other runs begin or end.
pub(super) const LOGIN_LIMIT: Duration = Duration::from_secs(10);

/// The limit of our own servers: 64 tests with ten connections each, the harness's own connections,
/// and room.
pub(super) const CONNECTIONS: usize = 1000;

/// The word in the facts of a server that follows its version if the role of its URL is a
/// superuser.
pub(super) const SUPERUSER: &str = "superuser";

/// The server of this run, as each of its processes knows it.
pub(super) struct Server {
    /// Whether the server ends with the run. On any other server, everything is noted before it is
    /// created.
    pub(super) is_ours: bool,
    /// The server's version. From 15 on, a copy by file must be requested by name.
    pub(super) version: i32,
    pub(super) has_superuser: bool,
    pub(super) options: PgConnectOptions,
    known: server::Server,
}

impl Server {
    pub(super) fn new(known: server::Server) -> Result<Server, Error> {
        let broken = |_| {
            Error::under(Heading::State, "the run's note of its PostgreSQL server has no version")
        };
        let (version, role) = known.facts.split_once('/').unwrap_or((&known.facts, ""));
        Ok(Server {
            is_ours: known.is_owned(),
            version: version.parse().map_err(broken)?,
            has_superuser: role == SUPERUSER,
            options: client::options(&known.address)?,
            known,
        })
    }

    /// Reads what [`Server::note`] wrote.
    pub(super) fn read(note: &str) -> Result<Server, Error> {
        server::Server::read(&POSTGRES, note).and_then(Server::new)
    }

    /// The text for the other processes of the run, and for the reaper.
    pub(super) fn note(&self) -> String {
        self.known.note()
    }

    /// Whether tests have a role of their own here. On an external server they have the role of the
    /// URL.
    pub(super) fn has_roles(&self) -> bool {
        self.known.origin != Origin::External
    }

    /// The address of a database, for the tests that own it. It has the user's own parameters only:
    /// a client may not know those of our driver.
    pub(super) fn address_of(&self, database: &str, owner: Option<&str>) -> Address {
        let address = self.known.address.of_database(database);
        owner.map_or(address.clone(), |owner| address.of_user(owner))
    }

    /// The options of a client for the same database and role.
    pub(super) fn options_of(&self, database: &str, owner: Option<&str>) -> PgConnectOptions {
        let options = self.options.clone().database(database);
        owner.map_or(options.clone(), |owner| options.username(owner))
    }

    /// The command that opens a database. On an external server it has no password, because others
    /// may read what a test prints.
    pub(super) fn command(&self, database: &str, owner: Option<&str>) -> String {
        let address = self.address_of(database, owner);
        let url = match self.known.origin {
            Origin::External => address.without_secrets(),
            Origin::Owned | Origin::Kept => address.whole(),
        };
        format!("psql '{url}'")
    }

    /// The server's address for a client.
    pub(super) fn address(&self) -> &Address {
        &self.known.address
    }
}

#[cfg(test)]
mod tests {
    use super::Server;

    #[test]
    fn a_given_password_stands_in_no_command() {
        let command = |note: &str| Server::read(note).unwrap().command("x", None);

        assert_eq!(
            command("external 150000 postgres://u:p%2F@h:1/db?sslmode=allow&sslpassword=p"),
            "psql 'postgres://u@h:1/x?sslmode=allow'"
        );
        assert_eq!(command("external 150000 postgres://u@h:1"), "psql 'postgres://u@h:1/x'");
        assert_eq!(command("external 150000 postgres://h"), "psql 'postgres://h:5432/x'");
        assert_eq!(command("owned 150000 postgres://u:p@h:1/db"), "psql 'postgres://u:p@h:1/x'");
    }

    #[test]
    fn the_url_of_a_database_keeps_the_users_parameters() {
        let url_of = |url: &str| {
            let server = Server::read(&format!("external 150000 {url}")).unwrap();
            server.address_of("x", None).whole()
        };

        assert_eq!(
            url_of("postgres://u:p%2F@h:1/db?sslmode=disable"),
            "postgres://u:p%2F@h:1/x?sslmode=disable"
        );
        assert_eq!(url_of("postgres://u@h?a=b"), "postgres://u@h:5432/x?a=b");
    }
}
