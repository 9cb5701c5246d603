//! A directory for the runs of one test, and everything that could be left of them.

#[cfg(feature = "integration")]
pub(crate) mod engine;
pub(crate) mod version;

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

    /// What `TESTENV_DIR` names.
    pub(crate) fn runs(&self) -> PathBuf {
        self.dir.path().join("runs")
    }

    /// Where the harness keeps its runs below that.
    pub(crate) fn base(&self) -> PathBuf {
        self.runs().join(format!("testenv-runs-{}", nix::unistd::geteuid()))
    }

    /// A command that knows nothing of the run that this test belongs to.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let foreign = |name: &str| {
            name.starts_with("NEXTEST")
                || name.starts_with("TESTENV_")
                || name.starts_with("COURSE_")
                || name.starts_with("TEST_SEED")
        };
        for (name, _) in std::env::vars().filter(|(name, _)| foreign(name)) {
            command.env_remove(name);
        }
        command
            .env("TESTENV_DIR", self.runs())
            .env("XDG_STATE_HOME", self.state())
            .env("TESTENV_GRACE_MS", GRACE_MS)
            .env("TESTENV_COMMAND", "testenv") // whatever is installed here
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        if version::wanted().is_some() {
            command.env("TESTENV_PROVIDER", "native");
        }
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
        let mut command = self.cargo(&format!(r#""$0" "$1" "$2"; {then}"#));
        command.args([env!("CARGO_BIN_EXE_testenv-actor"), part, argument]).process_group(0);
        command
    }

    /// A shell under cargo's name, with a script for it.
    pub(crate) fn cargo(&self, script: &str) -> Command {
        let cargo = self.dir.path().join("cargo");
        if !cargo.exists() {
            std::os::unix::fs::symlink("/bin/sh", &cargo).unwrap();
        }
        let mut command = self.command(cargo.to_str().unwrap());
        command.args(["-c", script]);
        command
    }

    /// Everything that belongs to a run of this lab: files, processes, containers, networks. Sockets are files or die with their process.
    pub(crate) fn left(&self) -> Vec<String> {
        Lab::LOOKS.iter().flat_map(|look| look(self)).collect()
    }

    /// The cheapest first.
    const LOOKS: [fn(&Lab) -> Vec<String>; 5] =
        [Lab::files, Lab::memory, Lab::servers, Lab::processes, Lab::in_engine];

    /// Something that is left. The dearer is looked at once the cheaper is gone: to ask the engine at every look, from each of nine ends, would cost more
    /// than the nine runs.
    fn first_left(&self) -> Vec<String> {
        let looks = Lab::LOOKS.iter().map(|look| look(self));
        looks.into_iter().find(|left| !left.is_empty()).unwrap_or_default()
    }

    /// Data of servers that lies outside of the runs' directories.
    fn memory(&self) -> Vec<String> {
        let base = self.base().display().to_string();
        let places = [PathBuf::from("/dev/shm"), "/var/tmp".into(), std::env::temp_dir()];
        let entries = places.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten();
        let dirs = entries.flatten().map(|entry| entry.path()).filter(|dir| {
            let owner = std::fs::read_to_string(dir.join("owner"));
            owner.is_ok_and(|owner| owner.contains(&base))
        });
        dirs.map(|dir| dir.display().to_string()).collect()
    }

    /// System V shared memory that native servers of this lab made: `key shmid perms size cpid …`, proc(5).
    pub(crate) fn segments(&self) -> Vec<String> {
        let pids: Vec<String> = self.native_pids().iter().map(i32::to_string).collect();
        let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        let fields = segments.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let ours = fields
            .filter(|fields| fields.get(4).is_some_and(|pid| pids.iter().any(|ours| ours == pid)));
        ours.map(|fields| fields[1].to_owned()).collect()
    }

    /// The processes that noted themselves as servers.
    pub(crate) fn native_pids(&self) -> Vec<i32> {
        let dirs = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
        let notes = dirs(self.base()).flat_map(|run| dirs(run.path().join("ledger")));
        let native = notes.filter(|note| note.file_name().to_string_lossy().starts_with("native."));
        let texts = native.filter_map(|note| std::fs::read_to_string(note.path()).ok());
        texts.filter_map(|text| text.split_whitespace().next()?.parse().ok()).collect()
    }

    #[cfg(feature = "integration")]
    fn in_engine(&self) -> Vec<String> {
        if version::wanted().is_some() {
            return Vec::new();
        }
        let owner = self.base().display().to_string();
        let of = |kind| engine::labelled(kind, "testenv.owner", &owner);
        [of("container"), of("network")].concat()
    }

    #[cfg(not(feature = "integration"))]
    fn in_engine(&self) -> Vec<String> {
        Vec::new()
    }

    /// Processes, containers and networks.
    pub(crate) fn left_but_files(&self) -> Vec<String> {
        Lab::LOOKS[1..].iter().flat_map(|look| look(self)).collect()
    }

    /// Waits for the end of the run with this name.
    pub(crate) fn expect_gone(&self, run: &str) {
        wait::until_blocking(PROMISED, "the end of the run", || {
            if self.base().join(run).exists() { Err("its directory is there") } else { Ok(()) }
        })
        .unwrap();
        self.expect_no_reaper_of(run);
    }

    pub(crate) fn expect_no_reaper(&self) {
        self.expect_no_reaper_of("");
    }

    fn expect_no_reaper_of(&self, run: &str) {
        self.expect_reapers(PROMISED, 0, run);
    }

    /// Waits until so many reapers are left, of runs whose names begin so.
    pub(crate) fn expect_reapers(&self, limit: Duration, count: usize, run: &str) {
        let mark = format!("testenv-reaper {run}");
        wait::until_blocking(limit, "the end of the reaper", || {
            let processes = self.processes().into_iter();
            let reapers: Vec<String> = processes.filter(|line| line.contains(&mark)).collect();
            if reapers.len() == count { Ok(()) } else { Err(reapers.join(", ")) }
        })
        .unwrap();
    }

    pub(crate) fn expect_nothing_left(&self, limit: Duration) {
        wait::until_blocking(limit, "the end of everything that the run made", || {
            let left = self.first_left();
            if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", self.told()));
    }

    /// What is left, and the last words of the reapers: why it is left.
    fn told(&self) -> String {
        let runs = std::fs::read_dir(self.base()).into_iter().flatten().flatten();
        let words = runs.filter_map(|run| {
            let words = std::fs::read_to_string(run.path().join("reaper.log")).ok()?;
            Some(format!("{}: {words}", run.path().display()))
        });
        self.left().into_iter().chain(words).collect::<Vec<_>>().join("\n")
    }

    /// The same, but for the containers that carry this label.
    #[cfg(feature = "integration")]
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
        .unwrap_or_else(|error| panic!("{error}\n{}", self.told()));
    }

    /// The address of a service's server, as a run of the lab has noted it.
    #[cfg(feature = "integration")]
    pub(crate) fn address_of(&self, run: &str, service: &str) -> String {
        let note = self.base().join(run).join(format!("{service}.json"));
        let text = std::fs::read_to_string(note).unwrap();
        text.split_whitespace().last().unwrap().to_owned()
    }

    /// Processes that were started with this lab's directory: actors, servers, reapers.
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

    pub(crate) fn reaper(&self) -> i32 {
        let processes = self.processes();
        let reaper = processes
            .iter()
            .find(|line| line.contains("testenv-reaper"))
            .unwrap_or_else(|| panic!("a reaper among {processes:?}"));
        reaper.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Where the harness notes that a run lives in another place than usual.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn files(&self) -> Vec<String> {
        let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
        let all = entries(self.base()).chain(entries(self.runs())).chain(entries(self.state()));
        all.map(|entry| entry.path().display().to_string()).collect()
    }
}

/// Waits for the end of a process that was killed. The list of processes has no command of it any
/// more a moment before its locks are free.
pub(crate) fn expect_end(pid: i32) {
    wait::until_blocking(PROMISED, "the end of a process", || {
        let state = ps(&["-o", "stat=", "-p", &pid.to_string()]);
        if state.is_empty() || state.starts_with('Z') { Ok(()) } else { Err(state) }
    })
    .unwrap();
}

/// Sixteen processes of one run play a part at the same moment; none may fail.
#[cfg(feature = "integration")]
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
#[cfg(feature = "integration")]
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
#[cfg(feature = "integration")]
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
#[cfg(feature = "integration")]
pub(crate) fn listeners(port: &str) -> Vec<String> {
    let output =
        Command::new("ss").arg("-ltnH").output().expect("ss can be run (package iproute2)");
    let text = String::from_utf8(output.stdout).unwrap();
    let local = text.lines().filter_map(|line| line.split_whitespace().nth(3));
    local.filter(|address| address.ends_with(&format!(":{port}"))).map(str::to_owned).collect()
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The reapers of a test that failed are still at work: without the directory they would not know what to remove.
        self.dir.disable_cleanup(std::thread::panicking());
    }
}

/// A process and all that descend from it.
pub(crate) fn tree(root: i32) -> Vec<i32> {
    let listed = ps(&["-A", "-o", "pid=,ppid="]);
    let pairs: Vec<(i32, i32)> = listed
        .lines()
        .map(|line| line.split_whitespace().map(|number| number.parse().unwrap()).collect())
        .map(|numbers: Vec<i32>| (numbers[0], numbers[1]))
        .collect();
    let mut tree = vec![root];
    let mut at = 0;
    while at < tree.len() {
        let of = tree[at];
        tree.extend(pairs.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        at += 1;
    }
    tree
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
