//! PostgreSQL as a process of this machine: a cluster of the run's own, in memory where the system has a place for that.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::unistd::{Gid, Uid, User, chown};
use sqlx::{ConnectOptions, Connection};

use super::client;
use crate::address::Address;
use crate::provider::{POSTGRES, say};
use crate::run::{Run, make_data_dir};
use crate::{Error, programs, secret, wait};

mod place;

/// Somebody may take the port between the look and the start.
const TRIES: usize = 5;

const OF_A_PROCESS: [&str; 3] = [
    "listen_addresses=127.0.0.1",
    // No socket in the file system: it would need a short path of its own.
    "unix_socket_directories=",
    // In the cluster's directory, so that a server that was killed leaves none of it elsewhere.
    "dynamic_shared_memory_type=mmap",
];

/// Makes a cluster and starts a server on it; returns its address.
pub(super) async fn start(
    run: &'static Run,
    programs: &[PathBuf],
    settings: &[&str],
    limit: Duration,
) -> Result<Address, Error> {
    let [initdb, postgres] = programs else { unreachable!("the service names two programs") };
    say(POSTGRES.name, &format!("{} ({} is not set)", postgres.display(), POSTGRES.url_var));
    let user = unprivileged();
    let root = place::choose(user.map(|(uid, _)| uid))?;
    let dir = make_data_dir(run, POSTGRES.name, &root)?;

    let unusable = |cause: String| {
        Error::new(format!("no cluster in {}", dir.display()))
            .cause(cause)
            .fix(crate::cure::command("doctor"))
    };
    let (password, file) = (secret::password(), dir.join("password"));
    secret::write(&file, &password).map_err(|error| unusable(error.to_string()))?;
    if let Some((uid, gid)) = user {
        for path in [&dir, &file] {
            chown(path, Some(uid), Some(gid)).map_err(|error| unusable(error.to_string()))?;
        }
    }
    let data = dir.join("data");
    let mut command = as_user(Command::new(initdb), user);
    programs::without_clients_variables(&mut command)
        .args([
            "--auth-host=md5",
            "--auth-local=reject",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-sync",
        ])
        .args(["--locale=C", "--pwfile"])
        .arg(&file)
        .arg("--pgdata")
        .arg(&data)
        .current_dir(&dir);
    let made = programs::run(&mut command, limit).map_err(unusable)?;
    std::fs::remove_file(&file).map_err(|error| unusable(error.to_string()))?;
    if !made.status.success() {
        return Err(unusable(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
    }
    let cluster = Cluster { data, user, password };
    for _ in 1..TRIES {
        if let Some(address) = serve(run, postgres, &cluster, settings, limit).await? {
            return Ok(address);
        }
    }
    Err(unusable(format!(
        "the server lost the race for its port {TRIES} times; its words: {}",
        last_words(run)
    )))
}

/// What `initdb` made.
struct Cluster {
    data: PathBuf,
    user: Option<(Uid, Gid)>,
    password: String,
}

/// The address of the server, or nothing when its port was taken meanwhile.
async fn serve(
    run: &'static Run,
    postgres: &Path,
    cluster: &Cluster,
    settings: &[&str],
    limit: Duration,
) -> Result<Option<Address>, Error> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.map_err(|cause| Error::new("no free port on 127.0.0.1").cause(cause))?.port();
    let mut args = vec![
        "-D".to_owned(),
        cluster.data.display().to_string(),
        "-p".to_owned(),
        port.to_string(),
    ];
    for setting in settings.iter().chain(&OF_A_PROCESS) {
        args.extend(["-c".to_owned(), (*setting).to_owned()]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut child = run.start_native_as(POSTGRES.name, postgres, &args, cluster.user)?;
    let address = super::address(&cluster.password, &format!("127.0.0.1:{port}"))?;
    let options = client::options(&address)?;
    let answered = wait::until(limit, "an answer of the PostgreSQL server", async || {
        if let Ok(Some(status)) = child.try_wait() {
            return Ok(Err(status));
        }
        match options.connect().await {
            Ok(connection) => {
                drop(connection.close().await);
                Ok(Ok(()))
            }
            Err(error) => Err(error),
        }
    });
    match answered.await? {
        Ok(()) => Ok(Some(address)),
        Err(_) if last_words(run).contains("could not bind") => Ok(None),
        Err(status) => {
            Err(Error::new(format!("the PostgreSQL server ended: {status}")).cause(last_words(run)))
        }
    }
}

/// Removes the System V shared memory of a server that was killed: its next start would do that, and there is none. `dir` is a directory of data, this one's
/// or another service's.
///
/// `postmaster.pid` names the server in its first line, and key and number of the memory in its seventh (PostgreSQL's `miscadmin.h`). The kernel says who made
/// the memory and whether somebody uses it: proc(5), `/proc/sysvipc/shm`.
pub(crate) fn release_memory(dir: &Path) {
    let noted = std::fs::read_to_string(dir.join("data/postmaster.pid")).unwrap_or_default();
    let lines: Vec<&str> = noted.lines().map(str::trim).collect();
    let (Some(server), Some(memory)) = (lines.first(), lines.get(6)) else { return };
    let Some((key, number)) = memory.split_once(char::is_whitespace) else { return };
    let (key, number) = (key.trim(), number.trim());
    let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let is_it =
        segments.lines().any(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            // key shmid perms size cpid lpid nattch …
            [of, shmid, _, _, maker, _, users, ..] => {
                of == key && shmid == number && maker == *server && users == "0"
            }
            _ => false,
        });
    if is_it {
        // What refuses is 56 bytes.
        Command::new("ipcrm").args(["-m", number]).stdin(Stdio::null()).output().ok();
    }
}

fn last_words(run: &Run) -> String {
    let log = std::fs::read_to_string(run.dir().join("postgres.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

/// PostgreSQL refuses to run as root: then it runs as the user that its package made, or as nobody.
fn unprivileged() -> Option<(Uid, Gid)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
    Some(user.map_or((Uid::from_raw(65534), Gid::from_raw(65534)), |user| (user.uid, user.gid)))
}

fn as_user(mut command: Command, user: Option<(Uid, Gid)>) -> Command {
    use std::os::unix::process::CommandExt;
    if let Some((uid, gid)) = user {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    command
}
