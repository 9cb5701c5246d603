//! Finds `pg_dump`: in the server's container, otherwise on this machine, never older than the
//! server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::address::Place;
use crate::postgres::db::Db;
use crate::postgres::served;
use crate::postgres::server::Server;
use crate::provider::PROVIDER_VAR;
use crate::run::{Run, layout};
use crate::service::POSTGRES;
use crate::{Error, Heading, docker, programs, secret};

const PROGRAM: &str = "pg_dump";

/// Dumps only what belongs to the database, as statements, one row per line. If a test has locked a
/// table, `pg_dump` waits ten seconds for it.
const ARGS: [&str; 10] = [
    "--column-inserts",
    // A statement a row would take several times as long to restore.
    "--rows-per-insert=100",
    "--encoding=UTF8",
    "--no-owner",
    "--no-privileges",
    "--no-publications",
    "--no-subscriptions",
    "--no-tablespaces",
    "--no-password",
    "--lock-wait-timeout=10s",
];

/// The limit of the whole dump: a server or an engine that hangs must not hang the tests. A dump
/// that still runs in the container then ends with its database.
const LIMIT: Duration = Duration::from_secs(300);

/// A program tells its version in milliseconds.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// The text of a dump of the database.
pub(super) async fn dump(db: &Db) -> Result<String, Error> {
    let (_, server) = served::connect().await?;
    let major = server.version / 10_000;
    let mut missing = Error::under(
        Heading::Snapshot,
        format!("no {PROGRAM} for the PostgreSQL server of version {major}"),
    );

    // A server of ours that is no process of this machine is a container.
    if server.is_ours && !layout::note(db.run().dir(), "native", POSTGRES.name).exists() {
        match in_container(db).await? {
            Ok(text) => return Ok(text),
            Err(why) => missing = missing.tried(format!("in the server's container: {why}")),
        }
    }
    let password = server.address().password();
    let file = password.map(|password| Passfile::write(db.run(), password)).transpose()?;
    let (command, name) = (on_this_machine(server, file.as_ref()), db.name().to_owned());
    let found = tokio::task::spawn_blocking(move || match choose(major) {
        Ok(program) => {
            let _read_by_the_program = file;
            Ok(run(command, &program, &name))
        }
        Err(tried) => Err(tried),
    });
    match found.await.expect("the dump's thread does not panic") {
        Ok(done) => done,
        Err(tried) => {
            let error = tried.into_iter().fold(missing, Error::tried);
            Err(cures(major, !server.has_roles()).into_iter().fold(error, Error::fix))
        }
    }
}

/// What gives a server of this version a `pg_dump`. While a URL names a server, nothing else is used.
fn cures(major: i32, is_external: bool) -> [String; 2] {
    let var = POSTGRES.url_var;
    let other_server = if is_external {
        format!(
            "unset {var}, if there is a Docker engine: the image of the run's own server has {PROGRAM}"
        )
    } else {
        format!(
            "export {PROVIDER_VAR}=docker, if there is an engine: the server's image has {PROGRAM}"
        )
    };
    let install = format!(
        "sudo apt-get install postgresql-client-{major}, or brew install postgresql@{major}: version {major} or a newer one"
    );
    [install, other_server]
}

/// The dump, or the reason why the container has no such program.
async fn in_container(db: &Db) -> Result<Result<String, String>, Error> {
    let container = docker::name_of(db.run(), POSTGRES.name);
    // By the server's socket, where the image asks for no password: none has to stand in the environment of a program.
    let to = ["--username=postgres", "--dbname", db.name()];
    let command = [PROGRAM].iter().chain(&ARGS).chain(&to).map(|word| (*word).to_owned()).collect();
    let done = docker::on_engine(async move {
        tokio::time::timeout(LIMIT, docker::execute(&container, command)).await
    });
    match done.await {
        Err(_) => Err(refused(format!(
            "{PROGRAM} in the server's container did not end within {LIMIT:?}"
        ))),
        Ok(Err(why)) => Ok(Err(why)),
        // The engine's and the shell's numbers for a program that is not there.
        Ok(Ok(done)) if [126, 127].contains(&done.status) => Ok(Err(done.errors.trim().to_owned())),
        Ok(Ok(done)) => text(done.status == 0, done.output, &done.errors).map(Ok),
    }
}

/// Makes the command for a program of this machine, which the caller names. The password goes by a
/// file, because others can read arguments and the environment.
fn on_this_machine(
    server: &Server,
    file: Option<&Passfile>,
) -> impl FnOnce(&Path) -> Command + Send + 'static {
    let (address, options) = (server.address(), &server.options);
    let (host, port) = match &address.places()[0] {
        Place::Tcp(host, port) => (host.into(), *port),
        Place::Socket(dir, port) => (dir.clone().into_os_string(), port.unwrap_or(5432)),
    };
    let (port, user) = (port.to_string(), options.get_username().to_owned());
    let tls = address.parameters().iter().filter(|(name, _)| name.starts_with("ssl"));
    let tls: Vec<(String, String)> = tls
        .map(|(name, value)| (format!("PG{}", name.replace('-', "").to_uppercase()), value.clone()))
        .collect();
    let file = file.map(|file| file.0.clone());
    move |program| {
        let mut command = Command::new(program);
        programs::without_clients_variables(&mut command)
            .args(ARGS)
            .arg("--port")
            .arg(port)
            .arg("--username")
            .arg(user)
            .arg("--host")
            .arg(host);
        command.envs(tls).envs(file.map(|file| ("PGPASSFILE", file)));
        command.env("PGCONNECT_TIMEOUT", "10");
        command
    }
}

/// A file from which a client of PostgreSQL reads the password for any server.
struct Passfile(PathBuf);

impl Passfile {
    fn write(run: &Run, password: &str) -> Result<Passfile, Error> {
        let file = Passfile(run.dir().join(format!("pgpass.{}", secret::word())));
        // The manual, "The Password File".
        let quoted = password.replace('\\', r"\\").replace(':', r"\:");
        if quoted.contains(['\n', '\r']) {
            return Err(refused("pg_dump takes no password with a line break".into()));
        }
        secret::write(&file.0, &format!("*:*:*:*:{quoted}\n"))
            .map_err(|cause| layout::unwritable(&file.0, &cause))?;
        Ok(file)
    }
}

impl Drop for Passfile {
    fn drop(&mut self) {
        // The run's end removes it too.
        std::fs::remove_file(&self.0).ok(); // the run removes it
    }
}

fn run(
    command: impl FnOnce(&Path) -> Command,
    program: &Path,
    database: &str,
) -> Result<String, Error> {
    let done =
        programs::run(command(program).arg("--dbname").arg(database), LIMIT).map_err(refused)?;
    text(done.status.success(), done.stdout, &String::from_utf8_lossy(&done.stderr))
}

fn text(succeeded: bool, output: Vec<u8>, errors: &str) -> Result<String, Error> {
    if !succeeded {
        return Err(refused(errors.trim().to_owned()));
    }
    String::from_utf8(output).map_err(|cause| refused(cause.to_string()))
}

fn refused(cause: String) -> Error {
    Error::under(Heading::Snapshot, "the database was not dumped").cause(cause)
}

/// The program with the server's version, otherwise the oldest newer one. The error lists what was
/// found instead.
fn choose(major: i32) -> Result<PathBuf, Vec<String>> {
    let candidates = programs::all(POSTGRES.name, PROGRAM, POSTGRES.places);
    let versions =
        candidates.into_iter().map(|path| (version(&path, VERSION_LIMIT), path)).collect();
    nearest(major, versions)
}

/// The oldest of these programs that is not older than `major`. The error says what each one is.
fn nearest(
    major: i32,
    candidates: Vec<(Result<i32, String>, PathBuf)>,
) -> Result<PathBuf, Vec<String>> {
    let fit = candidates.iter().filter_map(|(version, path)| Some((version.as_ref().ok()?, path)));
    if let Some((_, path)) =
        fit.filter(|(version, _)| **version >= major).min_by_key(|(version, _)| **version)
    {
        return Ok(path.clone());
    }
    if candidates.is_empty() {
        return Err(vec![format!("{PROGRAM}: not in the PATH, nor where packages install it")]);
    }
    let words = |(version, path): (Result<i32, String>, PathBuf)| match version {
        Ok(version) => format!("{}: version {version} is older than the server", path.display()),
        Err(why) => format!("{}: it does not tell its version: {why}", path.display()),
    };
    Err(candidates.into_iter().map(words).collect())
}

fn version(program: &Path, limit: Duration) -> Result<i32, String> {
    let done = programs::run(Command::new(program).arg("--version"), limit)?;
    let (said, errors) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    major_in(&said).ok_or_else(|| format!("{}{}", said.trim(), errors.trim()))
}

/// 15 of `pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`.
fn major_in(said: &str) -> Option<i32> {
    let number = said.split_once("(PostgreSQL) ")?.1;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_version_is_taken_before_a_newer_one_and_never_an_older() {
        let found = |versions: &[(Option<i32>, &str)]| {
            let version = |version: Option<i32>| version.ok_or_else(|| "x".to_owned());
            nearest(
                15,
                versions.iter().map(|(number, path)| (version(*number), path.into())).collect(),
            )
        };

        assert_eq!(found(&[(Some(17), "a"), (Some(15), "b"), (Some(16), "c")]), Ok("b".into()));
        assert_eq!(found(&[(Some(17), "a"), (Some(13), "b"), (Some(16), "c")]), Ok("c".into()));
        assert_eq!(
            found(&[(Some(13), "/bin/a"), (None, "/bin/b")]),
            Err(vec![
                "/bin/a: version 13 is older than the server".into(),
                "/bin/b: it does not tell its version: x".into()
            ])
        );
        assert!(found(&[]).unwrap_err()[0].starts_with("pg_dump: not in the PATH"));
    }

    #[test]
    fn a_cure_is_one_while_a_url_names_the_server() {
        let [_, given] = cures(17, true);
        let [_, own] = cures(17, false);

        assert!(given.starts_with("unset TESTENV_POSTGRES_URL"), "{given}");
        assert!(own.starts_with("export TESTENV_PROVIDER=docker"), "{own}");
    }

    #[test]
    fn a_program_that_hangs_instead_of_telling_its_version_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join(PROGRAM);
        // By another process: a program that this one has open for writing, or has forked with meanwhile, cannot be run.
        let write = r#"printf '#!/bin/sh\nkill -STOP $$\n' > "$0" && chmod +x "$0""#;
        assert!(Command::new("sh").args(["-c", write]).arg(&program).status().unwrap().success());

        let why = version(&program, Duration::from_secs(1)).unwrap_err();

        assert!(why.ends_with("pg_dump did not end within 1s, and was killed"), "{why}");
    }

    #[test]
    fn a_version_is_the_first_number_that_the_program_says() {
        assert_eq!(major_in("pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), Some(15));
        assert_eq!(major_in("pg_dump (PostgreSQL) 19devel\n"), Some(19));
        assert_eq!(major_in("Error: no cluster\n"), None);
    }
}
