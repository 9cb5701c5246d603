//! What a run of tests left on this machine.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// What runs could leave on this machine outside of their temporary directory.
pub(crate) struct Machine {
    /// `None` if it could not be seen.
    seen: Option<BTreeSet<String>>,
}

impl Machine {
    pub(crate) fn look() -> Machine {
        let mut seen = Some(BTreeSet::new());
        let mut add = |found: Option<Vec<String>>| {
            seen =
                seen.take().zip(found).map(|(seen, found)| seen.into_iter().chain(found).collect());
        };
        for kind in ["container", "network", "volume"] {
            add(docker(kind));
        }
        add(reapers());
        add(listening());
        Machine { seen }
    }

    /// What is there now and was not there before.
    pub(crate) fn since(&self, before: &Machine) -> Vec<String> {
        let (Some(now), Some(then)) = (&self.seen, &before.seen) else { return Vec::new() };
        now.difference(then).cloned().collect()
    }

    /// Why nothing can be said. `None` if everything could be seen.
    pub(crate) fn unseen(&self) -> Option<String> {
        self.seen
            .is_none()
            .then(|| "not seen: it needs Linux and a Docker engine that answers".into())
    }
}

/// The ids of all objects of the engine that carry the harness's label.
fn docker(kind: &str) -> Option<Vec<String>> {
    let all: &[&str] = if kind == "container" { &["ls", "--all"] } else { &["ls"] };
    let mut docker = Command::new("docker");
    docker.arg(kind).args(all).args(["--quiet", "--filter", "label=testenv.run"]);
    let listed = docker.output().ok().filter(|listed| listed.status.success())?;
    let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
    Some(ids.lines().map(|id| format!("{kind} {id}")).collect())
}

fn processes() -> Option<impl Iterator<Item = PathBuf>> {
    let all = std::fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    Some(all.filter(|path| path.join("cmdline").is_file()))
}

fn reapers() -> Option<Vec<String>> {
    let of = |process: PathBuf| {
        let line = std::fs::read(process.join("cmdline")).ok()?;
        line.starts_with(b"testenv-reaper").then(|| format!("reaper {}", process.display()))
    };
    Some(processes()?.filter_map(of).collect())
}

/// The TCP sockets of this machine that listen.
fn listening() -> Option<Vec<String>> {
    let mut ports = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(table).ok()?;
        ports.extend(text.lines().skip(1).filter_map(listener));
    }
    Some(ports)
}

/// The port of a line of the kernel's table, if its socket listens.
fn listener(line: &str) -> Option<String> {
    const LISTEN: &str = "0A";
    let mut words = line.split_whitespace().skip(1);
    let (address, state) = (words.next()?, words.nth(1)?);
    let port = u16::from_str_radix(address.rsplit(':').next()?, 16).ok()?;
    (state == LISTEN).then(|| format!("port {port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_is_read_from_the_kernels_tables() {
        let line =
            |state| format!("   0: 0100007F:1F90 00000000:0000 {state} 00000000:00000000 00:0");

        assert_eq!(listener(&line("0A")).as_deref(), Some("port 8080"));
        assert_eq!(listener(&line("01")), None, "it is connected");
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = format!("port {}", socket.local_addr().unwrap().port());
        assert_eq!(listening().is_some_and(|all| all.contains(&port)), cfg!(target_os = "linux"));
    }

    #[test]
    fn what_is_new_on_the_machine_is_left_behind() {
        let machine = |seen: Option<&[&str]>| Machine {
            seen: seen.map(|seen| seen.iter().map(|thing| (*thing).to_owned()).collect()),
        };
        let before = machine(Some(&["port 80"]));

        assert_eq!(machine(Some(&["port 80", "port 81"])).since(&before), ["port 81"]);
        assert_eq!(before.unseen(), None);
        assert!(machine(None).unseen().is_some());
    }
}
