//! The Docker engine of this machine. It is installed and started if the user said `--install`.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::install::{Installer, as_root, as_typed, find_program, is_root, line};
use super::say::{self, Ongoing, quoted, tail};
use super::steps::step;
use crate::{Error, Heading, cure, provider, wait};

/// An engine answers after a second. Its first start on a slow disk, with a directory to create,
/// takes longer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The engine's package only recommends `iptables` and certificates, but the engine does not work
/// without them.
const PACKAGES: [&str; 3] = ["docker.io", "iptables", "ca-certificates"];

/// Why the engine does not answer, or `None`.
pub(crate) fn silence() -> Option<String> {
    provider::ping_docker(provider::REACH_LIMIT).err()
}

/// What the user can type to get an engine that answers.
pub(crate) fn cure(why: &str) -> Vec<String> {
    if let Some(cure) = provider::cure_of_a_given_one() {
        return vec![cure];
    }
    if cfg!(target_os = "macos") {
        return vec!["start Docker Desktop, or `colima start`".into()];
    }
    if is_forbidden(why) {
        return vec![membership()];
    }
    let start = match init() {
        Init::Systemd => as_typed("systemctl start docker"),
        Init::Service => as_typed("service docker start"),
        Init::None => as_typed("setsid dockerd > dockerd.log 2>&1 &"),
    };
    let mut cures = vec![cure::command("setup --install")];
    if find_program("dockerd").is_none() {
        cures.push(line(&PACKAGES));
    }
    cures.push(start);
    cures
}

/// Installs the engine if it is missing, and starts it.
pub(crate) fn provide(why: &str, installer: &mut Installer) -> Result<(), Error> {
    if provider::cure_of_a_given_one().is_some() || cfg!(target_os = "macos") || is_forbidden(why) {
        let refused = Error::under(Heading::Docker, "`setup` does not start this Docker engine");
        return Err(cure(why).into_iter().fold(refused.cause(why), Error::fix));
    }
    if find_program("dockerd").is_none() {
        installer.install(&PACKAGES)?;
    }
    if silence().is_some() {
        start()?;
    }
    match silence() {
        Some(why) if is_forbidden(&why) => {
            Err(Error::under(Heading::Docker, "the Docker engine runs, but you may not use it")
                .cause(why)
                .fix(membership()))
        }
        Some(why) => {
            Err(Error::under(Heading::Docker, "the Docker engine does not answer").cause(why))
        }
        None => Ok(()),
    }
}

/// Installs the client if it is missing. Newer distributions have it in a package of its own.
pub(crate) fn provide_client(installer: &mut Installer) -> Result<(), Error> {
    let own_package = Command::new("apt-cache")
        .args(["show", "docker-cli"])
        .output()
        .is_ok_and(|shown| shown.status.success() && !shown.stdout.is_empty());
    installer.install(&[if own_package { "docker-cli" } else { "docker.io" }])
}

fn start() -> Result<(), Error> {
    let by_init = match init() {
        Init::Systemd => Some(("systemctl", ["start", "docker"])),
        Init::Service => Some(("service", ["docker", "start"])),
        Init::None => None,
    };
    let Some((program, arguments)) = by_init else { return start_detached() };
    let mut command = as_root(program)?;
    let started = step("starting the Docker engine", command.args(arguments), START_LIMIT)?;
    started.map_err(|words| {
        Error::under(Heading::Docker, "the Docker engine does not start")
            .cause(words)
            .fix(as_typed("journalctl -u docker -n 50"))
    })?;
    answers(None).map_err(|why| {
        Error::under(Heading::Docker, "the Docker engine does not answer")
            .cause(why)
            .fix(as_typed("journalctl -u docker -n 50"))
    })
}

/// Starts the engine without an init system. It gets a session of its own, so it outlives us and no
/// Ctrl-C reaches it.
fn start_detached() -> Result<(), Error> {
    let path = log()?;
    let unwritable = |e| {
        Error::under(Heading::Docker, format!("cannot write {}", path.display()))
            .cause(e)
            .fix("set XDG_CACHE_HOME to a directory that can be written")
    };
    let log = File::create(&path).map_err(unwritable)?;
    let copy = log.try_clone().map_err(unwritable)?;
    say::note(format_args!(
        "starting the Docker engine (no init system runs; its log: {})",
        path.display()
    ));
    let _going_on = Ongoing::announced("waiting for the Docker engine");
    let dockerd = find_program("dockerd").unwrap_or_else(|| "dockerd".into());
    let mut command = as_root("setsid")?;
    let child = command.arg(dockerd).stdin(Stdio::null()).stdout(log).stderr(copy).spawn();
    let child = child.map_err(|e| {
        Error::under(Heading::Docker, "cannot run setsid dockerd")
            .cause(e)
            .fix(line(&["util-linux"]))
    })?;
    answers(Some(child)).map_err(|why| {
        let words = std::fs::read_to_string(&path).unwrap_or_default();
        Error::under(Heading::Docker, format!("the Docker engine does not answer: {why}"))
            .cause(format!("the end of its log:\n{}", tail(&words, 20)))
            .fix(format!("less {}", quoted(path.display())))
    })
}

fn answers(mut child: Option<Child>) -> Result<(), String> {
    let answered = wait::until_blocking(START_LIMIT, "an answer of the Docker engine", || {
        let ended = child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        match (silence(), ended) {
            (None, _) => Ok(Ok(())),
            // It runs, but its socket is not for this user: waiting longer would not help.
            (Some(why), _) if is_forbidden(&why) => Ok(Ok(())),
            (Some(_), Some(status)) => Ok(Err(format!("it ended: {status}"))),
            (Some(why), None) => Err(why),
        }
    });
    answered.map_err(|e| e.to_string()).and_then(|answer| answer)
}

enum Init {
    Systemd,
    Service,
    None,
}

/// Which init system runs, by the name of process 1. Its programs may be installed although it does
/// not run.
fn init() -> Init {
    let first = std::fs::read_to_string("/proc/1/comm").unwrap_or_default();
    match first.trim() {
        "systemd" => Init::Systemd,
        "init" | "openrc-init" | "runit" if find_program("service").is_some() => Init::Service,
        _ => Init::None,
    }
}

fn is_forbidden(why: &str) -> bool {
    !is_root() && why.to_lowercase().contains("permission denied")
}

fn membership() -> String {
    "sudo usermod -aG docker \"$USER\", then log in again".into()
}

fn log() -> Result<PathBuf, Error> {
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
        .or_else(home);
    let dir = cache.unwrap_or_else(std::env::temp_dir).join("testenv");
    std::fs::create_dir_all(&dir).map_err(|e| {
        Error::under(Heading::Docker, format!("cannot make {}", dir.display()))
            .cause(e)
            .fix("set XDG_CACHE_HOME to a directory that can be written")
    })?;
    Ok(dir.join("dockerd.log"))
}
