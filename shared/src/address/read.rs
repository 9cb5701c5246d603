//! Reads addresses as people write them, with passwords as people typed them.
//!
//! Invariant: an error never repeats text that was before an `@` or in a parameter.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{Address, Dialect, Form, NO_SECRETS, Place};

/// The directories in which PostgreSQL puts its socket: on Debian, on Red Hat, and when built from
/// source.
const SOCKETS: [&str; 3] = ["/run/postgresql", "/var/run/postgresql", "/tmp"];

impl Address {
    /// Reads an address as people write it.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the address. Repeats nothing that could be a secret.
    pub(crate) fn read(dialect: &'static Dialect, text: &str) -> Result<Address, String> {
        let (read, what) = match dialect.form {
            Form::Brokers => (brokers(dialect, text.trim()), "list of brokers"),
            Form::Postgres | Form::Redis | Form::Http => (url(dialect, text.trim()), "URL"),
        };
        read.map_err(|why| format!("the {} {what} did not parse: {why}", dialect.name))
    }
}

fn url(dialect: &'static Dialect, text: &str) -> Result<Address, String> {
    let usual = dialect.schemes[0];
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("{} does not begin with {usual}://", named(text)));
    };
    let scheme = scheme.to_ascii_lowercase();
    check_scheme(dialect, &scheme)?;
    let (login, rest) = split(rest)?;
    let (user, password) = login.map_or(Ok((None, None)), credentials)?;
    let unquoted =
        |c: char| format!("a `{c}` has a meaning in this place: write it as {}", code(c));
    if let Some(c) = rest.chars().find(|c| *c == '#' || c.is_control()) {
        return Err(if c == '#' {
            unquoted(c)
        } else {
            "it holds a character that cannot be seen".into()
        });
    }
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    if authority.contains(',') {
        return Err("it names several hosts, and the client here takes one".into());
    }
    let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|why| why.to_string())?;
    let mut address = Address {
        dialect,
        scheme,
        user,
        password,
        places: Vec::new(),
        database: None,
        parameters: parameters(dialect, url.query().unwrap_or_default())?,
    };
    match dialect.form {
        Form::Postgres => postgres(&mut address, &url)?,
        Form::Redis => redis(&mut address, &url)?,
        Form::Http => http(&mut address, &url, authority)?,
        Form::Brokers => unreachable!("a list of brokers is no URL"),
    }
    Ok(address)
}

fn check_scheme(dialect: &'static Dialect, scheme: &str) -> Result<(), String> {
    let over_tls = dialect.tls.contains(&scheme);
    if dialect.schemes.contains(&scheme)
        || over_tls && dialect.client_has_tls && cfg!(feature = "tls")
    {
        return Ok(());
    }
    if over_tls {
        let cure = if dialect.client_has_tls { ": add the harness's feature `tls`" } else { "" };
        return Err(format!(
            "{scheme}:// asks for TLS, and the client here is built without TLS{cure}"
        ));
    }
    let usual = dialect.schemes[0];
    Err(match named(scheme).as_str() {
        "it" => format!("it does not begin with {usual}://"),
        scheme => format!("it begins with {scheme}, not with {usual}://"),
    })
}

/// Returns the text before the host's `@` and the text behind it.
///
/// A password may be typed as it is, as long as the address can be read in one way only.
fn split(rest: &str) -> Result<(Option<&str>, &str), String> {
    let Some(last) = rest.rfind('@') else { return Ok((None, rest)) };
    let at = |at: usize| Ok((Some(&rest[..at]), &rest[at + 1..]));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if last < end {
        return at(last);
    }
    let (head, tail) = rest.split_at(end);
    let is_port = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let is_address =
        head.starts_with('[') || head.split_once(':').is_none_or(|(_, it)| is_port(it));
    if !is_address && rest.matches('@').count() == 1 {
        return at(last);
    }
    // `?user=me@example.org`
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let known = |name: &str| NO_SECRETS.contains(&name) || ["pass", "password"].contains(&name);
    let is_known = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| known(name));
    if !path.contains(['@', '#']) && query.split('&').all(|it| !it.contains('@') || is_known(it)) {
        return head.rfind('@').map_or(Ok((None, rest)), at);
    }
    let first = tail.chars().next().expect("the last `@` is behind it");
    let code = code(first);
    Err(format!(
        "an `@` comes after a `{first}`: write a `{first}` in the password as {code}, and each `@` that does not end the password as %40"
    ))
}

fn credentials(login: &str) -> Result<(Option<String>, Option<String>), String> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let decoded = |what, text: &str| match decoded(text) {
        Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        None => Err(format!("its {what} does not decode to text: write each `%` in it as %25")),
    };
    Ok((decoded("user", user)?, decoded("password", password)?))
}

fn parameters(dialect: &'static Dialect, query: &str) -> Result<Vec<(String, String)>, String> {
    let mut parameters = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(
                "no `name=value` follows the `?`: write a `?` in the password as %3F".into()
            );
        };
        // As psql reads a password; the clients here take a `+` of everything else for a space.
        let as_typed = dialect.form == Form::Postgres && ["password", "user"].contains(&name);
        let value = if as_typed { value.to_owned() } else { value.replace('+', " ") };
        let (name, value) = (decoded(name), decoded(&value));
        let (Some(name), Some(value)) = (name, value) else {
            return Err(
                "one of its parameters does not decode to text: write each `%` as %25".into()
            );
        };
        parameters.push((name, value));
    }
    Ok(parameters)
}

/// Takes a parameter out. If it occurs several times, the last one counts.
fn take(address: &mut Address, name: &str) -> Option<String> {
    let is_it = |(other, _): &&(String, String)| other == name;
    let value = address.parameters.iter().rfind(is_it).map(|(_, value)| value.clone());
    address.parameters.retain(|(other, _)| other != name);
    value.filter(|value| !value.is_empty())
}

fn postgres(address: &mut Address, url: &Url) -> Result<(), String> {
    let port = match take(address, "port") {
        Some(port) => port.parse().map_err(|_| "its port is no number")?,
        None => url.port().unwrap_or(address.dialect.port),
    };
    let host = take(address, "host");
    let host = take(address, "hostaddr").or(host).or_else(|| match url.host()? {
        Host::Ipv6(number) => Some(number.to_string()),
        _ => decoded(url.host_str()?),
    });
    let place = match host {
        Some(host) if host.contains(',') => {
            return Err("it names several hosts, and the client here takes one".into());
        }
        Some(host) if host.starts_with('/') => Place::Socket(host.into(), Some(port)),
        Some(host) if !host.is_empty() => Place::Tcp(host, port),
        _ => {
            let is_there =
                |dir: &&&str| PathBuf::from(**dir).join(format!(".s.PGSQL.{port}")).exists();
            let socket = SOCKETS.iter().find(is_there);
            socket.map_or(Place::Tcp("localhost".into(), port), |dir| {
                Place::Socket(dir.into(), Some(port))
            })
        }
    };
    address.places.push(place);
    address.user = take(address, "user").or(address.user.take());
    address.password = take(address, "password").or(address.password.take());
    let path = decoded(url.path().trim_start_matches('/'));
    let path = path.ok_or("the name of its database does not decode to text")?;
    // The one in which programs such as createdb begin.
    let named = take(address, "dbname").unwrap_or(path);
    address.database = Some(if named.is_empty() { "postgres".into() } else { named });
    Ok(())
}

fn redis(address: &mut Address, url: &Url) -> Result<(), String> {
    let path = decoded(url.path()).ok_or("its path does not decode to text")?;
    let number = if url.scheme().ends_with("unix") {
        if url.host().is_some() || !path.starts_with('/') {
            return Err(
                "write the socket's path after three slashes: unix:///run/redis.sock".into()
            );
        }
        address.places.push(Place::Socket(path.into(), None));
        address.user = take(address, "user").or(address.user.take());
        address.password = take(address, "pass").or(address.password.take());
        take(address, "db")
    } else {
        let host = match url.host() {
            Some(Host::Ipv6(number)) => number.to_string(),
            Some(host) => decoded(&host.to_string()).unwrap_or_default(),
            None => String::new(),
        };
        if host.is_empty() {
            return Err("it names no host".into());
        }
        address.places.push(Place::Tcp(host, url.port().unwrap_or(address.dialect.port)));
        Some(path.trim_matches('/').to_owned()).filter(|path| !path.is_empty())
    };
    if number.as_deref().is_some_and(|number| number.parse::<u32>().is_err()) {
        return Err("its database is no number".into());
    }
    address.database = number;
    Ok(())
}

fn http(address: &mut Address, url: &Url, authority: &str) -> Result<(), String> {
    if address.user.is_some() || address.password.is_some() {
        return Err("it holds an `@`, and there is no user or password in it".into());
    }
    if !["", "/"].contains(&url.path()) || url.query().is_some() {
        return Err("it ends with the port: write no path and no `?`".into());
    }
    let host = match url.host() {
        Some(Host::Ipv6(number)) => number.to_string(),
        Some(host) => host.to_string(),
        None => return Err("it names no host".into()),
    };
    // The parser takes the usual port of the scheme for none.
    let of_scheme = url.port_or_known_default().unwrap_or(address.dialect.port);
    let named = authority.ends_with(&format!(":{of_scheme}")) || address.scheme == "https";
    let usual = if named { of_scheme } else { address.dialect.port };
    address.places.push(Place::Tcp(host, url.port().unwrap_or(usual)));
    Ok(())
}

fn brokers(dialect: &'static Dialect, text: &str) -> Result<Address, String> {
    if text.contains('@') {
        return Err("it holds an `@`, and there is no user or password in it".into());
    }
    let listed = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let places: Vec<Place> =
        listed.map(|entry| broker(dialect, entry)).collect::<Result<_, _>>()?;
    if places.is_empty() {
        return Err("it names no broker".into());
    }
    Ok(Address {
        dialect,
        scheme: String::new(),
        user: None,
        password: None,
        places,
        database: None,
        parameters: Vec::new(),
    })
}

fn broker(dialect: &'static Dialect, entry: &str) -> Result<Place, String> {
    let wrong = || format!("{} is no host:port", named(entry));
    let rest = match entry.split_once("://") {
        Some((scheme, rest)) => {
            check_scheme(dialect, &scheme.to_ascii_lowercase())?;
            rest
        }
        None => entry,
    };
    if rest.parse::<Ipv6Addr>().is_ok() {
        return Ok(Place::Tcp(rest.to_owned(), dialect.port));
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let number = port.parse().ok().filter(|port| *port > 0);
            (host, number.ok_or_else(|| format!("the port of {} is no number", named(host)))?)
        }
        _ => (rest, dialect.port),
    };
    let number = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(number) = number.filter(|number| number.parse::<Ipv6Addr>().is_ok()) {
        return Ok(Place::Tcp(number.to_owned(), port));
    }
    if host.is_empty() || !host.chars().all(is_plain) {
        return Err(wrong());
    }
    Ok(Place::Tcp(host.to_owned(), port))
}

/// The text in quotes if it is a single word, which can be no secret; otherwise `it`.
fn named(text: &str) -> String {
    if !text.is_empty() && text.chars().all(is_plain) { format!("`{text}`") } else { "it".into() }
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+')
}

/// Decodes percent signs. A percent sign that begins no code stays as it is.
fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.contains('\0')).then(|| text.into_owned())
}

fn code(c: char) -> String {
    format!("%{:02X}", u32::from(c))
}
