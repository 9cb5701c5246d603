//! A directory of runs of its own, and everything that could be left of them.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use testenv::wait;

/// What the design promises: 15 s after the end nothing is left.
pub(crate) const PROMISED: Duration = Duration::from_secs(15);

/// `TESTENV_FULL_LOAD=1`: all that is promised is tried, which takes minutes; usually a part of it.
pub(crate) fn is_full_load() -> bool {
    std::env::var("TESTENV_FULL_LOAD").is_ok_and(|value| value == "1")
}

/// How many times a load is put on.
pub(crate) fn load(usual: usize, full: usize) -> usize {
    if is_full_load() { full } else { usual }
}

/// Most labs run one process; a hundred graces of the usual two seconds would be the longest part of the suite.
const GRACE_MS: &str = "400";

/// Runs in a lab see neither this test's own run nor the runs of other labs. The path has a space, as paths of users do.
pub(crate) struct Lab {
    dir: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        Lab { dir: tempfile::Builder::new().prefix("testenv lab ").tempdir().unwrap() }
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.dir.path().join("runs")
    }

    /// A command that knows nothing of the run that this test belongs to.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let foreign = |name: &str| {
            name.starts_with("NEXTEST")
                || name.starts_with("TESTENV_")
                || name.starts_with("COURSE_")
        };
        for (name, _) in std::env::vars().filter(|(name, _)| foreign(name)) {
            command.env_remove(name);
        }
        command
            .env("TESTENV_DIR", self.runs())
            .env("TESTENV_GRACE_MS", GRACE_MS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        command
    }

    pub(crate) fn actor(&self, part: &str, argument: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_testenv-actor"));
        command.args([part, argument]);
        command
    }

    /// An actor started by a runner, in a process group of their own; the runner goes on to live for `then` (a shell command).
    ///
    /// The runner is a shell under cargo's name, for the name is what the harness knows a runner by.
    pub(crate) fn under_cargo(&self, part: &str, argument: &str, then: &str) -> Command {
        let cargo = self.dir.path().join("cargo");
        if !cargo.exists() {
            std::os::unix::fs::symlink("/bin/sh", &cargo).unwrap();
        }
        let mut command = self.command(cargo.to_str().unwrap());
        command
            .args([
                "-c",
                &format!(r#""$0" "$1" "$2"; {then}"#),
                env!("CARGO_BIN_EXE_testenv-actor"),
                part,
                argument,
            ])
            .process_group(0);
        command
    }

    /// Everything that belongs to a run of this lab: files, processes, containers, networks. Sockets are files or die with their process.
    pub(crate) fn left(&self) -> Vec<String> {
        Lab::LOOKS.iter().flat_map(|look| look(self)).collect()
    }

    /// The cheapest first.
    const LOOKS: [fn(&Lab) -> Vec<String>; 4] =
        [Lab::files, Lab::servers, Lab::processes, Lab::in_engine];

    /// Something that is left. The dearer is looked at once the cheaper is gone: to ask the engine at every look, from each of nine ends, would cost more
    /// than the nine runs.
    fn first_left(&self) -> Vec<String> {
        let looks = Lab::LOOKS.iter().map(|look| look(self));
        looks.into_iter().find(|left| !left.is_empty()).unwrap_or_default()
    }

    #[cfg(feature = "integration")]
    fn in_engine(&self) -> Vec<String> {
        let owner = self.runs().display().to_string();
        let of = |kind| engine::labelled(kind, "testenv.owner", &owner);
        [of("container"), of("network")].concat()
    }

    #[cfg(not(feature = "integration"))]
    fn in_engine(&self) -> Vec<String> {
        Vec::new()
    }

    pub(crate) fn expect_nothing_left(&self, limit: Duration) {
        wait::until_blocking(limit, "the end of everything that the run made", || {
            let left = self.first_left();
            if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
        })
        .unwrap();
    }

    /// The same, but for the containers that carry this label.
    #[cfg(all(feature = "integration", feature = "postgres"))]
    pub(crate) fn expect_nothing_left_but(&self, limit: Duration, label: &str) {
        let kept = || engine::labelled("container", label, "");
        wait::until_blocking(limit, "the end of everything that the run made", || {
            let kept: Vec<String> = kept()
                .iter()
                .map(|line| line.split_whitespace().nth(1).unwrap().to_owned())
                .collect();
            let left: Vec<String> = self
                .first_left()
                .into_iter()
                .filter(|left| !kept.iter().any(|id| left.contains(id)))
                .collect();
            if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
        })
        .unwrap();
    }

    /// Processes that were started with this lab's directory: actors, servers, keepers.
    pub(crate) fn processes(&self) -> Vec<String> {
        let mark = format!("TESTENV_DIR={}", self.runs().display());
        let environments = ps(&["eww", "-A", "-o", "pid=,command="]);
        let pids: Vec<&str> = environments
            .lines()
            .filter(|line| line.contains(&mark))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        if pids.is_empty() {
            return Vec::new();
        }
        let listed = ps(&["-ww", "-o", "pid=,args=", "-p", &pids.join(",")]);
        listed.lines().filter(|line| !line.contains("<defunct>")).map(str::to_owned).collect()
    }

    /// Processes that work in a directory of this lab: a server that writes its title over its environment is not known by that.
    #[cfg(target_os = "linux")]
    pub(crate) fn servers(&self) -> Vec<String> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let works_here = |process: &PathBuf| {
            let dir = std::fs::read_link(process.join("cwd"));
            dir.is_ok_and(|dir| dir.starts_with(self.dir.path()))
        };
        processes.filter(works_here).map(|process| process.display().to_string()).collect()
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn servers(&self) -> Vec<String> {
        let output = Command::new("lsof").args(["-w", "-d", "cwd", "-F", "pcn"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mark = format!("n{}", self.dir.path().canonicalize().unwrap().display());
        text.split("\np").filter(|process| process.contains(&mark)).map(str::to_owned).collect()
    }

    pub(crate) fn keeper(&self) -> i32 {
        let processes = self.processes();
        let keeper = processes
            .iter()
            .find(|line| line.contains("testenv-keeper"))
            .unwrap_or_else(|| panic!("a keeper among {processes:?}"));
        keeper.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.runs()).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path().display().to_string())
            .chain(self.runs().exists().then(|| self.runs().display().to_string()))
            .collect()
    }
}

/// Sixteen processes of one run play a part at the same moment; none may fail.
#[cfg(all(
    feature = "integration",
    any(feature = "kafka", feature = "postgres", feature = "redis")
))]
pub(crate) fn sixteen_race(lab: &Lab, part: &str, vars: &[(&str, &str)]) {
    let racer = || {
        let mut racer = lab.actor(part, "pass");
        racer.env("TESTENV_RUN_ID", "race").envs(vars.iter().copied()).spawn().unwrap()
    };
    let racers: Vec<Child> = (0..16).map(|_| racer()).collect();
    let ends = racers.into_iter().map(|racer| racer.wait_with_output().unwrap());
    assert_eq!(ends.filter(|output| !output.status.success()).count(), 0);
}

/// Fails unless a `part` played in a world where `vars` are set fails within two seconds, with these words.
#[cfg(all(
    feature = "integration",
    any(feature = "kafka", feature = "postgres", feature = "redis")
))]
pub(crate) fn expect_complaint(part: &str, vars: &[(&str, &str)], words: &[&str]) {
    let lab = Lab::new();

    let (said, took) = complaint(&lab, part, vars);

    for word in words {
        assert!(said.contains(word), "`{word}` in: {said}");
    }
    assert!(took < Duration::from_secs(2), "{took:?}: {said}");
    lab.expect_nothing_left(PROMISED);
}

/// What a test says that fails in a world where `vars` are set, and how long it takes to say it.
#[cfg(all(
    feature = "integration",
    any(feature = "kafka", feature = "postgres", feature = "redis")
))]
pub(crate) fn complaint(lab: &Lab, part: &str, vars: &[(&str, &str)]) -> (String, Duration) {
    let start = std::time::Instant::now();
    let mut actor = lab.actor(part, "pass");
    let output = actor
        .envs(vars.iter().copied())
        .env("RUST_BACKTRACE", "0")
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let took = start.elapsed();
    assert!(!output.status.success());
    (String::from_utf8(output.stderr).unwrap(), took)
}

/// The local addresses on which anybody listens at this port, as `ss -ltn` tells.
#[cfg(all(feature = "integration", any(feature = "kafka", feature = "redis")))]
pub(crate) fn listeners(port: &str) -> Vec<String> {
    let output =
        Command::new("ss").arg("-ltnH").output().expect("ss can be run (package iproute2)");
    let text = String::from_utf8(output.stdout).unwrap();
    let local = text.lines().filter_map(|line| line.split_whitespace().nth(3));
    local.filter(|address| address.ends_with(&format!(":{port}"))).map(str::to_owned).collect()
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The keepers of a test that failed are still at work: without the directory they would not know what to remove.
        self.dir.disable_cleanup(std::thread::panicking());
    }
}

/// What `ps` prints; a list of processes that are all gone is empty.
fn ps(arguments: &[&str]) -> String {
    let output =
        Command::new("ps").args(arguments).output().expect("ps can be run (package procps)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The next line that a child says.
pub(crate) fn line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

#[cfg(feature = "integration")]
pub(crate) mod engine {
    use std::process::Command;

    /// Ids of what carries a label whose value ends with `value`.
    pub(crate) fn labelled(kind: &str, label: &str, value: &str) -> Vec<String> {
        let all = if kind == "container" { &["--all"][..] } else { &[] };
        let format = format!("{kind} {{{{.ID}}}} {{{{.Label \"{label}\"}}}}");
        let text = docker(
            &[
                &[
                    kind,
                    "ls",
                    "--no-trunc",
                    "--filter",
                    &format!("label={label}"),
                    "--format",
                    &format,
                ],
                all,
            ]
            .concat(),
        );
        text.lines().filter(|line| line.ends_with(value)).map(str::to_owned).collect()
    }

    /// The services, one word a container, of the containers that were started for runs of the lab while `work` ran, by the engine's own account.
    #[cfg(any(feature = "kafka", feature = "postgres", feature = "redis"))]
    pub(crate) fn started(lab: &super::Lab, work: impl FnOnce()) -> Vec<String> {
        let since = now();
        work();
        let until = now();
        let format = "{{index .Actor.Attributes \"testenv.service\"}} {{index .Actor.Attributes \"testenv.owner\"}}";
        let period = ["events", "--since", &since, "--until", &until];
        let what = ["--filter", "event=start", "--filter", "label=testenv.owner"];
        let events = docker(&[&period[..], &what, &["--format", format]].concat());
        let mark = lab.runs().display().to_string();
        let ours = events.lines().filter(|line| line.ends_with(&mark));
        let mut services: Vec<String> =
            ours.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
        services.sort();
        services
    }

    #[cfg(any(feature = "kafka", feature = "postgres", feature = "redis"))]
    fn now() -> String {
        let output = Command::new("date").arg("+%s.%N").output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn docker(args: &[&str]) -> String {
        let output = Command::new("docker")
            .args(args)
            .output()
            .expect("docker can be run (package docker.io)");
        assert!(
            output.status.success(),
            "docker {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}
