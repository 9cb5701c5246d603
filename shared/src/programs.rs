//! Where the programs of the native way are: in the PATH, in a place of the distribution's own, or where
//! `testenv setup` put them.
//!
//! Invariant: the programs of a service come from one directory, so two versions are never mixed. Of
//! the fetched versions the pinned one comes first, whatever else was fetched.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::service::SERVICES;
use crate::wait;

/// Names the directory of what was fetched.
pub const CACHE_VAR: &str = "TESTENV_CACHE_DIR";

/// The directory of what was fetched once and serves every run; below it a directory for each service, and in that one for each version.
pub fn cache() -> PathBuf {
    let set = |var| env::var_os(var).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let below = |dir: PathBuf| dir.join("testenv");
    set(CACHE_VAR).or_else(|| set("XDG_CACHE_HOME").map(below)).unwrap_or_else(|| {
        // The server of root's run is another user's process, and to that one root's home is closed.
        let root = nix::unistd::geteuid().is_root() && cfg!(target_os = "linux");
        let caches = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        let home = env::home_dir().filter(|_| !root).map(|home| home.join(caches));
        below(home.unwrap_or_else(|| "/var/cache".into()))
    })
}

/// The programs with their paths, from the first directory that has them all: of the PATH, of `places`, of the service's part of the cache.
/// A `*` in a place stands for a version, and the newest comes first; in the cache, the pinned one comes before it.
pub(crate) fn find(
    service: &str,
    programs: &[&str],
    places: &[&str],
) -> Result<Vec<PathBuf>, String> {
    together(programs, dirs(service, places).into_iter()).ok_or_else(|| {
        let programs = programs.join(" and ");
        let beside = if places.is_empty() { "" } else { ", nor where packages install it" };
        format!("{programs}: not in the PATH{beside}, nor below {}", fetched(service).display())
    })
}

/// Every copy of one program, in the order in which [`find`] looks.
pub(crate) fn all(service: &str, program: &str, places: &[&str]) -> Vec<PathBuf> {
    let paths = dirs(service, places).into_iter().map(|dir| dir.join(program));
    paths.filter(|path| path.is_file()).collect()
}

/// Takes from a program the variables by which a shell tells clients of a server which one to use, and how (`PGOPTIONS`, `PGSERVICE`, `REDISCLI_AUTH`):
/// they are about a server of the user's, and a PostgreSQL server itself obeys `PGDATESTYLE`.
pub(crate) fn without_clients_variables(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os().filter(|(name, _)| is_for_clients(name)) {
        command.env_remove(name);
    }
    command
}

fn is_for_clients(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    // A capital follows: libpq has 40 of them, and `PGm` is none. Ours may hold the password of an external server, which
    // is no business of a program's.
    let of_client = |start: &&str| {
        name.strip_prefix(start)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    SERVICES.iter().flat_map(|service| service.clients).any(of_client)
        || (name.starts_with("TESTENV_") && name.ends_with("_URL"))
}

/// How a program ended, and what it wrote, unless that takes longer than `limit`: then it is killed, also where somebody has stopped it, and the answer says what was
/// waited for.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Output, String> {
    let name = Path::new(command.get_program()).display().to_string();
    let words = |cause: std::io::Error| format!("{name}: {cause}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(words)?;
    let start = Instant::now();
    let (output, errors) = (read(child.stdout.take()), read(child.stderr.take()));
    let left = || limit.saturating_sub(start.elapsed());
    let written =
        output.recv_timeout(left()).and_then(|output| Ok((output, errors.recv_timeout(left())?)));
    // A program that ends closes both first.
    let status = wait::until_blocking(left(), "its end", || match child.try_wait() {
        Ok(Some(status)) => Ok(Ok(status)),
        Ok(None) => Err("it runs"),
        Err(cause) => Ok(Err(cause)),
    });
    match (written, status) {
        (Ok((stdout, stderr)), Ok(status)) => {
            Ok(Output { status: status.map_err(words)?, stdout, stderr })
        }
        (_, status) => {
            if status.is_err() {
                child.kill().and_then(|()| child.wait()).ok(); // it ended in this moment
            }
            Err(format!("{name} did not end within {limit:?}, and was killed"))
        }
    }
}

/// All that is written to a pipe, when it is closed.
fn read(pipe: Option<impl std::io::Read + Send + 'static>) -> std::sync::mpsc::Receiver<Vec<u8>> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).ok(); // what came until then is told
        }
        tell.send(bytes).ok(); // nobody waits any longer
    });
    told
}

fn dirs(service: &str, places: &[&str]) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(places.iter().flat_map(|place| versions(Path::new(place))))
        .chain(pinned_first(versions(&fetched(service).join("*/bin")), pinned(service)))
        .collect()
}

/// The version of a service that is fetched where no other one is asked for.
fn pinned(service: &str) -> &'static str {
    SERVICES.iter().find(|known| known.name == service).map_or("", |known| known.image.tag)
}

/// The directories `<version>/bin`, those of the pinned version before the others. A package may count it in more parts: 17.5.0 for 17.5.
fn pinned_first(mut dirs: Vec<PathBuf>, pinned: &str) -> Vec<PathBuf> {
    let is_pinned = |dir: &PathBuf| {
        let version = dir.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        version.strip_prefix(pinned).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    dirs.sort_by_key(|dir| !is_pinned(dir));
    dirs
}

fn fetched(service: &str) -> PathBuf {
    cache().join(service)
}

fn together(programs: &[&str], dirs: impl Iterator<Item = PathBuf>) -> Option<Vec<PathBuf>> {
    let in_dir = |dir: PathBuf| programs.iter().map(|program| dir.join(program)).collect();
    dirs.map(in_dir).find(|paths: &Vec<PathBuf>| paths.iter().all(|path| path.is_file()))
}

/// The directories that a place with one `*` means, the newest version first.
fn versions(place: &Path) -> Vec<PathBuf> {
    let mut dirs = vec![PathBuf::new()];
    for part in place {
        match part.to_str().and_then(|part| part.split_once('*')) {
            Some((before, _)) => {
                dirs = dirs.iter().flat_map(|dir| newest_first(dir, before)).collect();
            }
            None => dirs.iter_mut().for_each(|dir| dir.push(part)),
        }
    }
    dirs
}

fn newest_first(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let number = |name: &OsStr| -> Option<Vec<u32>> {
        name.to_str()?.strip_prefix(prefix)?.split('.').map(|part| part.parse().ok()).collect()
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut numbered: Vec<_> =
        entries.filter_map(|entry| Some((number(&entry.file_name())?, entry.path()))).collect();
    numbered.sort_by(|one, other| other.cmp(one));
    numbered.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn with_files(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    #[test]
    fn all_programs_come_from_one_directory() {
        let dir = with_files(&["a/initdb", "b/postgres", "c/initdb", "c/postgres"]);
        let dirs = || ["a", "b", "c"].iter().map(|name| dir.path().join(name));

        let found = together(&["initdb", "postgres"], dirs()).unwrap();

        assert_eq!(found, ["c/initdb", "c/postgres"].map(|path| dir.path().join(path)));
        assert_eq!(together(&["initdb", "psql"], dirs()), None);
    }

    #[test]
    fn of_several_versions_the_newest_comes_first() {
        let dir = with_files(&[
            "pg-9.6/bin/x",
            "pg-17.5.0/bin/x",
            "pg-15/bin/x",
            "pg-old/bin/x",
            "16/bin/x",
        ]);

        let found = versions(&dir.path().join("pg-*/bin"));

        assert_eq!(
            found,
            ["17.5.0", "15", "9.6"].map(|it| dir.path().join(format!("pg-{it}/bin")))
        );
    }

    #[test]
    fn of_fetched_versions_the_pinned_one_comes_before_newer_ones() {
        let dir = with_files(&["18.4.0/bin/x", "17.50.0/bin/x", "17.5.0/bin/x", "13.23.0/bin/x"]);

        let found = pinned_first(versions(&dir.path().join("*/bin")), "17.5");

        let names = ["17.5.0", "18.4.0", "17.50.0", "13.23.0"];
        assert_eq!(found, names.map(|name| dir.path().join(name).join("bin")));
    }

    #[test]
    fn a_place_that_is_not_there_means_nothing() {
        assert_eq!(versions(Path::new("/no/such/place/*/bin")), Vec::<PathBuf>::new());
    }

    fn shell(script: &str, limit: Duration) -> Result<Output, String> {
        run(Command::new("sh").args(["-c", script]), limit)
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_and_named_also_when_it_is_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let note = format!("echo $$ > '{}'; ", pid.display());
        // The third has closed what it could write to.
        for rest in ["exec sleep 600", "kill -STOP $$", "exec sleep 600 >&- 2>&-"] {
            let start = Instant::now();

            let refused = shell(&(note.clone() + rest), Duration::from_secs(1)).unwrap_err();

            assert!(refused.contains("sh did not end within 1s"), "{rest}: {refused}");
            assert!(start.elapsed() < Duration::from_secs(30), "{rest}: {:?}", start.elapsed());
            let pid = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
            let gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None);
            assert_eq!(gone, Err(nix::errno::Errno::ESRCH), "{rest}");
        }
    }

    #[test]
    fn of_a_program_that_ends_all_is_told_that_it_wrote() {
        let limit = Duration::from_secs(60);

        let done =
            shell("head -c 300000 /dev/zero; head -c 200000 /dev/zero >&2; exit 3", limit).unwrap();

        assert_eq!(
            (done.stdout.len(), done.stderr.len(), done.status.code()),
            (300_000, 200_000, Some(3))
        );
        let absent = run(&mut Command::new("/no/such/program"), limit).unwrap_err();
        assert!(absent.starts_with("/no/such/program: "), "{absent}");
    }
}
