//! What a server is, and what differs between services.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::{Gid, Uid};
use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::{ContainerRequest, Image};

use crate::address::Address;
use crate::docker::Chosen;
use crate::provider::{REACH_LIMIT, reach};
use crate::run::Run;
use crate::run::cleaner::Refused;
use crate::service::Service;
use crate::{Error, Heading, secret, wait};

/// The limit for a kept container that is being removed. The engine accepts connections for it
/// until it is gone.
const GOING_LIMIT: Duration = Duration::from_secs(3);

/// Who started a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This run. The server ends with the run.
    Owned,
    /// An earlier run of the same user: `TESTENV_REUSE`.
    Kept,
    /// Somebody else.
    External,
}

/// The server of a run. The run's directory keeps it for the other processes and the reaper:
/// `<origin> <facts> <address>`.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) origin: Origin,
    /// What [`Served::handshake`] learned, in one word.
    pub(crate) facts: String,
    pub(crate) address: Address,
}

/// The facts of a service that needs none.
const NO_FACTS: &str = "-";

/// The passwords of a server that we start.
#[derive(Clone)]
pub(crate) struct Secrets {
    /// The password for the start. It is in a container's environment, which everybody who may use
    /// the engine can read.
    pub(crate) first: String,
    /// The password that clients use.
    pub(crate) lasting: String,
}

/// The directory of an image's data, which is mounted in memory.
pub(crate) enum Data {
    /// A variable of the image names the directory. Otherwise it is the usual one.
    OfTheImage { var: &'static str, usual: &'static str },
    /// The container's request names the directories.
    At(&'static [&'static str]),
}

/// The arguments for a port. It is called again for each port that is tried, and may write a file
/// of settings.
type Arguments = Box<dyn Fn(u16) -> Result<Vec<String>, Error>>;

/// A server that can be started.
pub(crate) struct Process {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Arguments,
    /// The user that it runs as, if that is another user.
    pub(crate) user: Option<(Uid, Gid)>,
    /// What its log says if another program has its port.
    pub(crate) port_taken: &'static str,
}

/// What differs between services.
pub(crate) trait Served: 'static {
    /// The description of the service.
    const SERVICE: &'static Service;
    /// The port on which the server listens in its container.
    const PORT: ContainerPort;
    /// Where the server's data is in its container.
    const DATA: Data;
    /// The limit for a start, until the server answers.
    const START_LIMIT: Duration;
    /// The settings of a server that we start. A kept server with other settings is another server.
    const SETTINGS: &'static [&'static str];
    /// The container, for testcontainers.
    type Image: Image + 'static;

    /// The container of an image. Its clients reach its published ports at `host`; without a host they
    /// are in other containers of the same network.
    fn container(
        image: &Chosen,
        secrets: &Secrets,
        host: Option<&str>,
    ) -> ContainerRequest<Self::Image>;

    /// The ports that its container publishes. Called on the runtime of the engine's client.
    fn ports() -> impl Future<Output = Result<&'static [ContainerPort], Error>> + Send {
        async { Ok(const { &[Self::PORT] } as &[_]) }
    }

    /// The address of a server that we started, with `password`, at `place`, `host:port`.
    fn url(password: &str, place: &str) -> String;

    /// Waits until the server of a container accepts the lasting password, and no other.
    async fn secure(secrets: &Secrets, place: &str) -> Result<(), Error>
    where
        Self: Sized,
    {
        // The server is ready when it says so, the engine's way to it a moment later.
        let address = address::<Self>(&secrets.lasting, place)?;
        let what = format!("an answer of the {} server", Self::SERVICE.name);
        wait::until(Self::START_LIMIT, &what, async || Self::answers(&address).await).await
    }

    /// Prepares the server as a process of this machine, with the service's native programs.
    async fn process(
        _run: &'static Run,
        _programs: &[PathBuf],
        _secrets: &Secrets,
    ) -> Result<Process, Error> {
        Err(Error::under(Heading::Server, format!("{} has no native way", Self::SERVICE.name)))
    }

    /// Tries whether a server that we started answers. It is called again until it does.
    async fn answers(address: &Address) -> Result<(), String>;

    /// Makes sure that a server can be used. Returns in one word what must be known of it. A server
    /// that we started has answered before.
    async fn handshake(address: &Address, origin: Origin) -> Result<String, Error> {
        if origin != Origin::Owned
            && let Err(cause) = Self::answers(address).await
        {
            let (service, var) = (Self::SERVICE, Self::SERVICE.url_var);
            let error = Error::under(
                Heading::Given,
                format!("no {} server answers at {address}", service.dialect.name),
            );
            return Err(match origin {
                Origin::External => error.tried(format!("{var}={address}")).fix(format!(
                    "correct {var}, or `unset {var}` to have a server started for the run"
                )),
                _ => error,
            }
            .cause(cause));
        }
        Ok(NO_FACTS.to_owned())
    }
}

impl Server {
    /// Reads what [`Server::note`] wrote.
    pub(crate) fn read(service: &'static Service, note: &str) -> Result<Server, Error> {
        let broken = || {
            Error::under(
                Heading::State,
                format!("the run's note of its {} server is broken", service.name),
            )
        };
        let mut words = note.split_whitespace();
        let (Some(origin), Some(facts), Some(url)) = (words.next(), words.next(), words.next())
        else {
            return Err(broken());
        };
        let origin = [Origin::Owned, Origin::Kept, Origin::External]
            .into_iter()
            .find(|known| known.to_string() == origin)
            .ok_or_else(broken)?;
        let address = service.address(url).map_err(|cause| broken().cause(cause))?;
        Ok(Server { origin, facts: facts.to_owned(), address })
    }

    /// The text of the note, with the password. Whoever can read it may use the server.
    pub(crate) fn note(&self) -> String {
        format!("{} {} {}", self.origin, self.facts, self.address.whole())
    }

    /// Whether the server ends with the run, with everything that was made on it.
    pub(crate) fn is_owned(&self) -> bool {
        self.origin == Origin::Owned
    }

    pub(super) async fn handshake<S: Served>(
        address: Address,
        origin: Origin,
    ) -> Result<Server, Error> {
        let facts = S::handshake(&address, origin).await?;
        Ok(Server { origin, facts, address })
    }

    /// Translates a refused removal: the server is away, or it refuses, or it was a kept server
    /// that is gone with everything on it.
    pub(crate) fn refused(&self, why: String) -> Result<(), Refused> {
        match self.is_gone() {
            true => Ok(()),
            false if self.is_away() => Err(Refused::Unreachable(why)),
            false => Err(Refused::Stays(why)),
        }
    }

    /// Whether it was a kept server that was stopped, with everything on it.
    pub(crate) fn is_gone(&self) -> bool {
        let gone = || if self.is_away() { Ok(()) } else { Err("its port is open") };
        self.origin == Origin::Kept && wait::until_blocking(GOING_LIMIT, "its end", gone).is_ok()
    }

    fn is_away(&self) -> bool {
        reach(&self.address, REACH_LIMIT).is_err()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Owned => "owned",
            Origin::Kept => "kept",
            Origin::External => "external",
        })
    }
}

impl Secrets {
    pub(super) fn new() -> Secrets {
        Secrets { first: secret::password(), lasting: secret::password() }
    }
}

/// Reads the address of a server that we started.
pub(crate) fn address<S: Served>(password: &str, place: &str) -> Result<Address, Error> {
    S::SERVICE.address(&S::url(password, place)).map_err(|cause| {
        let name = S::SERVICE.name;
        Error::under(Heading::Given, format!("the {name} server has no address that can be read"))
            .cause(cause)
    })
}

#[cfg(test)]
mod tests {
    use super::{Origin, Server};
    use crate::service::REDIS;

    #[test]
    fn a_server_is_read_as_it_was_written() {
        for text in ["owned 256 redis://:secret@127.0.0.1:1234", "external 16 redis://h:6379"] {
            assert_eq!(Server::read(&REDIS, text).unwrap().note(), text);
        }
        let kept = Server::read(&REDIS, "kept 16 redis://h:6379").unwrap();
        assert_eq!((kept.origin, kept.is_owned()), (Origin::Kept, false));
        for broken in ["", "kept 16", "somebody's 16 redis://h:6379", "kept 16 h:6379"] {
            assert!(Server::read(&REDIS, broken).is_err(), "{broken}");
        }
    }
}
