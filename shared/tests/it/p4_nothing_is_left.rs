//! P4: nothing is left, however the run ends.

use std::process::Child;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::lab::{self, Lab, PROMISED};

/// How a run comes to its end.
#[derive(Clone, Copy)]
enum End {
    /// The test does it itself.
    Own(&'static str),
    /// A signal to the test alone.
    Test(Signal),
    /// A signal to the whole group, the runner included.
    Group(Signal),
    /// SIGKILL of the runner and of every process that descends from it.
    Tree,
    /// SIGTERM to the reaper, which cleans up at once; then SIGKILL of the group.
    Reaper,
}

/// The kinds of ends: the run is done, its test dies, its group is told to end, its reaper is met too. Eleven ends in all.
const ENDS: [&[(&str, End)]; 4] = [
    &[("pass", End::Own("pass")), ("panic", End::Own("panic")), ("exit(0)", End::Own("exit"))],
    &[("abort", End::Own("abort")), ("SIGKILL of the test", End::Test(Signal::SIGKILL))],
    &[
        ("SIGINT", End::Group(Signal::SIGINT)),
        ("SIGTERM", End::Group(Signal::SIGTERM)),
        ("SIGHUP", End::Group(Signal::SIGHUP)),
        ("SIGKILL of the group", End::Group(Signal::SIGKILL)),
    ],
    &[("SIGKILL of the whole tree", End::Tree), ("SIGTERM of the reaper", End::Reaper)],
];

/// Runs `resource` to its ends, all at once, in a world where `vars` are set, and collects what is left of each 15 s later; returns the names of the ends.
///
/// Usually it is one end of each kind, another one for each resource (they have numbers), so that all resources together meet all of them;
/// with `TESTENV_FULL_LOAD=1`, as in CI, each meets all.
pub(crate) fn every_kind_of_end(
    number: usize,
    resource: &'static str,
    vars: &[(&'static str, String)],
) -> Vec<&'static str> {
    let drawn = |kind: &'static [(&'static str, End)]| match lab::is_full_load() {
        true => kind,
        false => &kind[number % kind.len()..][..1],
    };
    let ends: Vec<&(&str, End)> = ENDS.into_iter().flat_map(drawn).collect();
    let runs = ends.iter().map(|(name, end)| {
        let vars = vars.to_vec();
        let run = move || std::panic::catch_unwind(|| one_end(resource, &vars, *end));
        (*name, std::thread::spawn(run))
    });
    // All begin before the first is waited for.
    let runs: Vec<_> = runs.collect();

    let failed: Vec<&str> = runs
        .into_iter()
        .filter_map(|(name, run)| run.join().unwrap().is_err().then_some(name))
        .collect();
    assert_eq!(failed, Vec::<&str>::new(), "ends of a run with a {resource} that left something");
    ends.into_iter().map(|(name, _)| *name).collect()
}

fn one_end(resource: &str, vars: &[(&str, String)], end: End) {
    let lab = Lab::new();
    let argument = if let End::Own(own) = end { own } else { "wait" };
    let mut runner = lab.under_cargo(resource, argument, ":");
    let runner = runner.env_remove("TESTENV_GRACE_MS").envs(vars.iter().cloned());
    let mut runner = runner.spawn().unwrap();
    assert_eq!(lab::line(&mut runner), resource);
    assert_ne!(lab.left(), Vec::<String>::new(), "the run has something to leave");
    let segments = lab.segments();

    send(&lab, &runner, end);

    runner.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
    let there = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let is_there =
        |id: &String| there.lines().any(|line| line.split_whitespace().nth(1) == Some(id));
    assert!(!segments.iter().any(is_there), "shared memory of a native server is left");
}

fn send(lab: &Lab, runner: &Child, end: End) {
    match end {
        End::Own(_) => {}
        End::Test(signal) => kill(Pid::from_raw(test_of(lab, runner)), signal).unwrap(),
        End::Group(signal) => killpg(Pid::from_raw(runner.id().cast_signed()), signal).unwrap(),
        End::Tree => {
            for pid in lab::tree(runner.id().cast_signed()) {
                kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            }
        }
        End::Reaper => {
            kill(Pid::from_raw(lab.reaper()), Signal::SIGTERM).unwrap();
            lab.expect_no_reaper();
            killpg(Pid::from_raw(runner.id().cast_signed()), Signal::SIGKILL).unwrap();
        }
    }
}

/// The actor that waits for its end: the process of the lab that is neither reaper, nor server, nor runner.
fn test_of(lab: &Lab, runner: &Child) -> i32 {
    let processes = lab.processes();
    let pids = processes
        .iter()
        .filter(|line| line.contains(" wait") && line.contains("testenv-actor "))
        .map(|line| line.split_whitespace().next().unwrap());
    let pids: Vec<i32> = pids
        .map(|pid| pid.parse().unwrap())
        .filter(|pid| *pid != runner.id().cast_signed())
        .collect();
    assert_eq!(pids.len(), 1, "one test process in {processes:?}");
    pids[0]
}

#[test]
fn nothing_is_left_of_a_native_server_after_every_kind_of_end() {
    every_kind_of_end(0, "native", &[]);
}

#[cfg(feature = "integration")]
#[test]
pub(crate) fn nothing_is_left_of_a_container_after_every_kind_of_end() {
    every_kind_of_end(1, "docker", &[]);
}

#[test]
fn what_a_killed_reaper_left_is_swept_by_the_next_run() {
    sweeps("native");
}

#[cfg(feature = "integration")]
#[test]
fn the_containers_that_a_killed_reaper_left_are_swept_by_the_next_run() {
    sweeps("docker");
}

fn sweeps(resource: &str) {
    let lab = Lab::new();
    let mut killed = lab.actor(resource, "wait").env("TESTENV_RUN_ID", "first").spawn().unwrap();
    assert_eq!(lab::line(&mut killed), resource);
    kill_with_its_reaper(&lab, killed);

    // Nobody is there to remove it.
    let left = lab.left();
    let file = |left: &String| left.starts_with(&lab.runs().display().to_string());
    assert!(!left.iter().all(file), "a server outlives both: {left:?}");

    let next = lab.actor("nothing", "pass").env("TESTENV_RUN_ID", "second").status().unwrap();

    assert!(next.success());
    lab.expect_nothing_left(PROMISED);
}

pub(crate) fn kill_with_its_reaper(lab: &Lab, mut test: Child) {
    let reaper = lab.reaper();
    kill(Pid::from_raw(reaper), Signal::SIGKILL).unwrap();
    test.kill().unwrap();
    test.wait().unwrap();
    lab::expect_end(reaper);
    lab.expect_no_reaper();
}

#[test]
fn a_run_of_the_same_name_does_not_trust_what_a_killed_reaper_left() {
    let lab = Lab::new();
    let killed = lab.actor("member", "60000").env("TESTENV_RUN_ID", "same").spawn().unwrap();
    testenv::wait::until_blocking(PROMISED, "the first run's server", || {
        if lab.base().join("same/server.json").exists() { Ok(()) } else { Err("not there") }
    })
    .unwrap();
    let first = std::fs::read_to_string(lab.base().join("same/server.json")).unwrap();
    kill_with_its_reaper(&lab, killed);

    let next = lab.actor("member", "0").env("TESTENV_RUN_ID", "same").output().unwrap();

    assert_ne!(String::from_utf8(next.stdout).unwrap().trim(), first);
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn servers_stay_while_the_runner_lives_and_go_when_it_ends() {
    let lab = Lab::new();
    let mut runner = lab
        .under_cargo("native", "pass", "read -r line")
        .env("TESTENV_GRACE_MS", "100")
        .spawn()
        .unwrap();
    assert_eq!(lab::line(&mut runner), "native");

    // The test process is gone, its runner is not: it may start another.
    std::thread::park_timeout(Duration::from_millis(1500));
    assert!(lab.processes().iter().any(|line| line.contains(" listen ")), "{:?}", lab.processes());

    drop(runner.stdin.take());

    runner.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}

#[cfg(feature = "integration")]
#[test]
fn containers_go_although_somebody_deleted_the_runs_directory() {
    goes_without_its_directory("docker", &[]);
}

#[test]
fn a_native_server_goes_although_somebody_deleted_the_runs_directory() {
    goes_without_its_directory("native", &[]);
}

#[test]
fn a_native_server_goes_although_its_note_was_deleted_before_the_reaper_read_it() {
    let lab = Lab::new();
    let actor = |part| {
        let mut actor = lab.actor(part, "wait").env("TESTENV_RUN_ID", "unread").spawn().unwrap();
        assert_eq!(lab::line(&mut actor), part);
        actor
    };
    let first = actor("nothing");
    let reaper = Pid::from_raw(lab.reaper());
    kill(reaper, Signal::SIGSTOP).unwrap();
    let second = actor("native");

    std::fs::remove_dir_all(lab.runs()).unwrap();
    kill(reaper, Signal::SIGCONT).unwrap();

    for mut member in [first, second] {
        drop(member.stdin.take());
        member.wait().unwrap();
    }
    testenv::wait::until_blocking(PROMISED, "the end of the server", || {
        let left = lab.left_but_files();
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    })
    .unwrap();
}

/// Whoever deletes one file after the other has taken the notes before the locks.
#[cfg(feature = "integration")]
#[test]
fn containers_go_although_somebody_deleted_the_notes() {
    let lab = Lab::new();
    let mut test = lab.actor("docker", "wait").env("TESTENV_RUN_ID", "noted").spawn().unwrap();
    assert_eq!(lab::line(&mut test), "docker");
    std::thread::park_timeout(Duration::from_millis(300)); // the reaper looks every 100 ms

    std::fs::remove_dir_all(lab.base().join("noted/ledger")).unwrap();
    drop(test.stdin.take());

    test.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}

/// Deletes the directory in the middle of a run: nothing of the run ends before its last process, and nothing is left after it.
pub(crate) fn goes_without_its_directory(resource: &str, vars: &[(&str, &str)]) {
    let lab = Lab::new();
    let mut test = lab.actor(resource, "wait").envs(vars.iter().copied()).spawn().unwrap();
    assert_eq!(lab::line(&mut test), resource);
    let before = lab.left_but_files();

    std::fs::remove_dir_all(lab.runs()).unwrap();
    let mut beside = lab.actor("nothing", "pass").env("TESTENV_RUN_ID", "beside").spawn().unwrap();
    beside.wait().unwrap();
    lab.expect_gone("beside");
    assert_eq!(lab.left_but_files(), before, "a live run lost something");
    drop(test.stdin.take());

    test.wait().unwrap();
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_native_server_whose_reaper_and_directory_are_gone_is_swept_by_the_next_run() {
    is_swept_without_a_note("native", &[]);
}

#[cfg(feature = "integration")]
#[test]
fn a_container_whose_reaper_and_directory_are_gone_is_swept_by_the_next_run() {
    is_swept_without_a_note("docker", &[]);
}

/// Kills a run with its reaper, and takes its notes: the next run of this user finds what is left by itself.
pub(crate) fn is_swept_without_a_note(resource: &str, vars: &[(&str, &str)]) {
    let lab = Lab::new();
    let mut killed = lab.actor(resource, "wait").envs(vars.iter().copied()).spawn().unwrap();
    assert_eq!(lab::line(&mut killed), resource);
    kill_with_its_reaper(&lab, killed);
    assert_ne!(lab.left_but_files(), Vec::<String>::new(), "something outlives both");
    // From here on it is found by the next run of anybody's, as those of the tests beside this one.
    std::fs::remove_dir_all(lab.runs()).unwrap();

    let next = lab.actor("nothing", "pass").status().unwrap();

    assert!(next.success());
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn what_was_left_in_another_directory_is_swept_by_the_next_run() {
    let lab = Lab::new();
    let other = lab.runs().with_file_name("other runs");
    let mut killed = lab.actor("native", "wait").env("TESTENV_RUN_ID", "first").spawn().unwrap();
    assert_eq!(lab::line(&mut killed), "native");
    kill_with_its_reaper(&lab, killed);

    let next = lab.actor("nothing", "pass").env("TESTENV_DIR", &other).status().unwrap();

    assert!(next.success());
    lab.expect_nothing_left(PROMISED);
}
