//! A PostgreSQL server as others run them: its own settings, a password.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::testcontainers::ImageExt;
use testcontainers_modules::testcontainers::core::{ContainerPort, Mount};
use testenv::tools::{self, docker};
use testenv::tools::{DIR_VAR, PROVIDER_VAR, Run};
use testenv::{Error, wait};

const PORT: ContainerPort = ContainerPort::Tcp(5432);
const DATA: &str = "/var/lib/postgresql/data";
const PASSWORD: &str = "open sesame";

const START_LIMIT: Duration = Duration::from_secs(60);

/// What some need, and PostgreSQL leaves out unless asked.
const SETTINGS: [&str; 2] = ["max_prepared_transactions=10", "wal_level=logical"];

/// `nobody`, as which root runs a server that refuses to run as root.
const NOBODY: u32 = 65534;

/// In a container, or from the programs of this machine if the environment asks for that.
pub(crate) async fn serve(run: &'static Run) -> Result<String, Error> {
    match std::env::var(PROVIDER_VAR).as_deref() {
        Ok("native") => serve_natively(run).await,
        _ => serve_in_container(run, Mount::tmpfs_mount(DATA)).await,
    }
}

/// A server with room for the template and seven copies: its own databases have 22 MB, each copy 7.5.
pub(crate) async fn serve_small(run: &'static Run) -> Result<String, Error> {
    serve_in_container(run, Mount::tmpfs_mount(DATA).with_size("88m")).await
}

async fn serve_in_container(run: &'static Run, data: Mount) -> Result<String, Error> {
    let image = docker::resolve(tools::POSTGRES.image).await?;
    let request = || {
        Postgres::default()
            .with_password(PASSWORD)
            .with_name(&image.name)
            .with_tag(&image.tag)
            // A log of one megabyte at a time: a full disk then meets a copy, not the log, which would be the server's end.
            .with_env_var("POSTGRES_INITDB_ARGS", "--wal-segsize=1")
            .with_cmd(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .with_mount(data.clone())
    };
    let started = docker::start(run, "given", request, &[PORT], &[], START_LIMIT).await?;
    let address = started.address(PORT).await?;
    Ok(url(&address))
}

/// The reaper ends the server. Its data is beside the directory of the runs, which whoever started
/// us removes.
async fn serve_natively(run: &Run) -> Result<String, Error> {
    let programs = tools::POSTGRES.native_programs().unwrap();
    let dir = PathBuf::from(std::env::var_os(DIR_VAR).unwrap()).with_file_name("given");
    let data = make_cluster(&programs[0], &dir);

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let program = programs[1].to_str().unwrap();
    let (data, port) = (data.to_str().unwrap(), port.to_string());
    // Tests use such a server too, with ten connections each.
    let speed = ["fsync=off", "max_connections=1000", "unix_socket_directories="];
    let settings = SETTINGS.iter().chain(&speed).flat_map(|setting| ["-c", setting]);
    let start = [program, "-D", data, "-p", &port].into_iter().chain(settings);
    let words: Vec<&str> = as_nobody().iter().copied().chain(start).collect();
    drop(run.start_native("given", Path::new(words[0]), &words[1..])?);

    let url = url(&format!("127.0.0.1:{port}"));
    wait::until(START_LIMIT, "an answer of the given server", async || {
        <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.map(drop)
    })
    .await?;
    Ok(url)
}

fn make_cluster(initdb: &Path, dir: &Path) -> PathBuf {
    let (password, data) = (dir.join("password"), dir.join("data"));
    std::fs::create_dir(dir).unwrap();
    std::fs::write(&password, PASSWORD).unwrap();
    let mut make = Command::new(initdb);
    if is_root() {
        chown(dir, Some(NOBODY), Some(NOBODY)).unwrap();
        // A temporary directory is closed to others.
        let above = dir.parent().unwrap();
        std::fs::set_permissions(above, PermissionsExt::from_mode(0o711)).unwrap();
        make.uid(NOBODY).gid(NOBODY);
    }
    make.args(["--username=postgres", "--auth=md5", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .arg("--pwfile")
        .arg(password)
        .arg("--pgdata")
        .arg(&data)
        .current_dir(dir);
    let made = make.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    data
}

/// What root puts before a program that refuses to run as root.
fn as_nobody() -> &'static [&'static str] {
    let words = &["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    if is_root() { words } else { &[] }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn url(address: &str) -> String {
    format!("postgres://postgres:{}@{address}/postgres", PASSWORD.replace(' ', "%20"))
}
