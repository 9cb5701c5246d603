//! PostgreSQL as a process of this machine. The cluster belongs to the run, and is in memory if the
//! system has a place for that.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::unistd::{Gid, Uid, chown};

use super::settings;
use crate::run::{Run, make_data_dir};
use crate::server::{self, Process, Secrets};
use crate::service::POSTGRES;
use crate::{Error, Heading, programs, secret};

mod place;

/// It takes half a second on two cores; a loaded machine takes several times that.
const INITDB_LIMIT: Duration = Duration::from_secs(60);

const OF_A_PROCESS: [&str; 3] = [
    "listen_addresses=127.0.0.1",
    // No socket in the file system: it would need a short path of its own.
    "unix_socket_directories=",
    // In the cluster's directory, so that a server that was killed leaves none of it elsewhere.
    "dynamic_shared_memory_type=mmap",
];

/// Creates a cluster on which a server can be started.
pub(super) fn prepare(
    run: &'static Run,
    programs: &[PathBuf],
    secrets: &Secrets,
) -> Result<Process, Error> {
    let [initdb, postgres] = programs else { unreachable!("the service names two programs") };
    let user = server::unprivileged("postgres");
    let root = place::choose(user.map(|(uid, _)| uid))?;
    let dir = make_data_dir(run, POSTGRES.name, &root)?;

    let unusable = |cause: String| {
        Error::under(Heading::Start, format!("no cluster in {}", dir.display()))
            .cause(cause)
            .fix(crate::cure::command("doctor"))
    };
    let file = dir.join("password");
    secret::write(&file, &secrets.lasting).map_err(|error| unusable(error.to_string()))?;
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
    let made = programs::run(&mut command, INITDB_LIMIT).map_err(unusable)?;
    std::fs::remove_file(&file).map_err(|error| unusable(error.to_string()))?;
    if !made.status.success() {
        return Err(unusable(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
    }
    let arguments = move |port: u16| {
        let place =
            ["-D".to_owned(), data.display().to_string(), "-p".to_owned(), port.to_string()];
        let of_a_process = OF_A_PROCESS.iter().map(|setting| (*setting).to_owned());
        let settings =
            settings().chain(of_a_process).flat_map(|setting| ["-c".to_owned(), setting]);
        Ok(place.into_iter().chain(settings).collect())
    };
    Ok(Process {
        program: postgres.clone(),
        arguments: Box::new(arguments),
        user,
        port_taken: "could not bind",
    })
}

/// Removes the System V shared memory of a server that was killed. The server's next start would do
/// that, but there is no next start. `dir` is a directory of data, this server's or another
/// service's.
///
/// The first line of `postmaster.pid` names the server. Its seventh line has the key and the number
/// of the memory (PostgreSQL's `miscadmin.h`). The kernel says who created the memory and whether a
/// process uses it: proc(5), `/proc/sysvipc/shm`.
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

fn as_user(mut command: Command, user: Option<(Uid, Gid)>) -> Command {
    use std::os::unix::process::CommandExt;
    if let Some((uid, gid)) = user {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    command
}
