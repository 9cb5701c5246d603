//! The address of a server: whole for clients, without its secrets for everybody else.
//!
//! Invariant: neither what is printed of an address nor the error for a text that is none holds a password.

mod read;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What needs no quoting anywhere in a URL, RFC 3986, section 2.3.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// In the place of a secret.
const HIDDEN: &str = "***";

/// Parameters of PostgreSQL's and Redis's URLs that are no secret. Of others nobody knows.
const NO_SECRETS: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "client_encoding",
    "db",
    "dbname",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "options",
    "port",
    "protocol",
    "ssl-ca",
    "ssl-mode",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "target_session_attrs",
    "user",
];

/// How the addresses of a service are written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// The service, in an error.
    pub(crate) name: &'static str,
    /// Where an address names none.
    pub(crate) port: u16,
    /// What such an address looks like.
    pub(crate) example: &'static str,
    /// Before `://`, the usual one first.
    pub(crate) schemes: &'static [&'static str],
    /// The same over TLS, with the feature `tls` if the client has it then.
    pub(crate) tls: &'static [&'static str],
    pub(crate) client_has_tls: bool,
    pub(crate) form: Form,
}

/// What else a URL can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The host, the port and the database as parameters too; a directory as host is a socket's. As libpq reads it.
    Postgres,
    /// A database's number as path; with a scheme that ends in `unix`, the path of a socket.
    Redis,
    /// No URL: a list of `host:port` without user and password.
    Brokers,
    /// A service over HTTP: nothing but a host and a port.
    Http,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name or a number, an IPv6 one without brackets, and a port.
    Tcp(String, u16),
    /// For PostgreSQL the directory of the socket and the port that is in its name, for Redis the socket.
    Socket(PathBuf, Option<u16>),
}

/// Where a server of a service is, with the user, the password and the parameters that it takes.
///
/// `Display` and `Debug` hide the password; [`Address::whole`] does not.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    dialect: &'static Dialect,
    scheme: String,
    user: Option<String>,
    password: Option<String>,
    /// One, but for brokers.
    places: Vec<Place>,
    database: Option<String>,
    /// What else it says, by name.
    parameters: Vec<(String, String)>,
}

impl Address {
    /// The text for a client, with all that was given and with the service's port where none was.
    pub fn whole(&self) -> String {
        self.text(self.password.as_deref(), |_, value| Some(value))
    }

    /// The same for another database of the server: a name, or Redis's number.
    pub(crate) fn of_database(&self, name: &str) -> Address {
        Address { database: Some(name.to_owned()), ..self.clone() }
    }

    /// The same for another role, with the same password.
    pub(crate) fn of_user(&self, name: &str) -> Address {
        Address { user: Some(name.to_owned()), ..self.clone() }
    }

    /// The same with those parameters only that a client knows: of others some refuse to work, and some log the value.
    pub(crate) fn with_parameters(&self, known: &[&str]) -> Address {
        let mut address = self.clone();
        address.parameters.retain(|(name, _)| known.contains(&name.as_str()));
        address
    }

    /// The text without password and secrets, for a command that asks for them.
    pub(crate) fn without_secrets(&self) -> String {
        self.text(None, |name, value| NO_SECRETS.contains(&name).then_some(value))
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// A text that knows this address, without the password: neither in an address nor by itself. A
    /// password of a few letters is found in an address only, because it may be a part of any word.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        const LONG: usize = 8;
        let text = text.replace(&self.whole(), &self.to_string());
        let password = self.password.as_deref().unwrap_or_default();
        let spelt = [password.to_owned(), secret(password)];
        spelt.iter().filter(|password| !password.is_empty()).fold(text, |text, password| {
            if password.len() < LONG {
                text.replace(&format!(":{password}@"), &format!(":{HIDDEN}@"))
            } else {
                text.replace(password, HIDDEN)
            }
        })
    }

    pub(crate) fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }

    pub(crate) fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    fn text<'a>(
        &'a self,
        password: Option<&'a str>,
        shown: impl Fn(&str, &'a str) -> Option<&'a str>,
    ) -> String {
        if self.dialect.form == Form::Brokers {
            return self.places.iter().map(Place::to_string).collect::<Vec<_>>().join(",");
        }
        // The socket of a Redis is the path of its URL, so that all else has to be parameters.
        let is_path = matches!(self.places[0], Place::Socket(_, None));
        let (user, database) = (self.user.as_deref(), self.database.as_deref());
        let mut parameters = Vec::new();
        let mut text = format!("{}://", self.scheme);
        if is_path {
            text += &self.places[0].to_string();
            let named = [("db", database), ("user", user), ("pass", password)];
            parameters.extend(named.into_iter().filter_map(|(name, value)| Some((name, value?))));
        } else {
            if user.is_some() || password.is_some() {
                text += &quoted(user.unwrap_or_default());
                text += &password.map(|it| format!(":{}", secret(it))).unwrap_or_default();
                text.push('@');
            }
            text += &self.places[0].to_string();
            text += &database.map(|name| format!("/{}", quoted(name))).unwrap_or_default();
        }
        parameters.extend(
            self.parameters
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), shown(name, value)?))),
        );
        for (at, (name, value)) in parameters.into_iter().enumerate() {
            text +=
                &format!("{}{}={}", if at == 0 { '?' } else { '&' }, quoted(name), secret(value));
        }
        text
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.password.as_ref().map(|_| HIDDEN);
        let shown =
            |name: &str, value| Some(if NO_SECRETS.contains(&name) { value } else { HIDDEN });
        f.write_str(&self.text(hidden, shown))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// As a URL has it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp(host, port) => write!(f, "{host}:{port}"),
            Place::Socket(path, Some(port)) => {
                write!(f, "{}:{port}", quoted(&path.to_string_lossy()))
            }
            Place::Socket(path, None) => {
                let parts = path.to_str().unwrap_or_default().split('/').map(quoted);
                f.write_str(&parts.collect::<Vec<_>>().join("/"))
            }
        }
    }
}

fn quoted(text: &str) -> String {
    utf8_percent_encode(text, QUOTED).to_string()
}

/// Quoted, unless it stands for what is hidden.
fn secret(text: &str) -> String {
    if text == HIDDEN { text.to_owned() } else { quoted(text) }
}
