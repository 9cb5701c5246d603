use super::{Guard, run, run_until};
use nix::unistd::Pid;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::{Duration, Instant};

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn a_process_that_hangs_is_stopped_at_its_limit_with_its_children() {
    let start = Instant::now();

    let run =
        run(&mut sh("echo begun; sleep 30 & sleep 30"), Duration::from_millis(200), None).unwrap();

    assert!(run.status.is_none());
    assert_eq!(run.stdout, "begun\n");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_process_whose_output_is_enough_is_ended_and_its_output_is_whole() {
    let mut talks = sh("echo one; echo enough; sleep 30 & sleep 30");
    let is_enough = |said: &str| said.ends_with("enough\n");

    let run = run_until(&mut talks, Duration::from_secs(20), None, Some(&is_enough)).unwrap();

    assert_eq!((run.status, run.was_enough), (None, true));
    assert_eq!(run.stdout, "one\nenough\n");
    assert!(run.took < Duration::from_secs(10));
}

#[test]
fn a_process_that_is_looked_at_writes_on_where_it_was() {
    let mut talks = sh("for word in one two three; do echo $word; sleep 0.2; done");

    let run = run_until(&mut talks, Duration::from_secs(20), None, Some(&|_| false)).unwrap();

    assert_eq!((run.stdout.as_str(), run.was_enough), ("one\ntwo\nthree\n", false));
}

#[test]
fn a_process_left_behind_is_named_and_ended() {
    let run = run(&mut sh("sleep 31.25 & echo $!"), Duration::from_secs(10), None).unwrap();

    assert_eq!(run.left_behind, ["sleep 31.25"]);
    let pid = run.stdout.trim();
    crate::wait::until_blocking(Duration::from_secs(5), "the end of the sleeper", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") { Ok(()) } else { Err(stat) }
    })
    .unwrap();
}

/// Killed between the start of a process and the word to the guard, nobody would end the process.
#[test]
fn nothing_runs_before_the_guard_watches_it() {
    let scratch = tempfile::tempdir().unwrap();
    let begun = scratch.path().join("begun");
    let guard = Guard::new(&scratch.path().join("guarded")).unwrap();
    let mut touch = Command::new("touch");
    touch.arg(&begun);

    std::thread::scope(|threads| {
        let untold = guard.pipe.lock().unwrap();
        let ran = threads.spawn(|| run(&mut touch, Duration::from_secs(60), Some(&guard)));
        let early = crate::wait::until_blocking(Duration::from_millis(300), "it", || {
            if begun.exists() { Ok(()) } else { Err("not begun") }
        });
        drop(untold);

        assert!(early.is_err(), "it ran unwatched");
        assert!(ran.join().unwrap().unwrap().success());
    });
    assert!(begun.exists());
}

#[test]
fn the_guard_ends_the_groups_that_it_still_watches() {
    let scratch = tempfile::tempdir().unwrap().keep();
    let guard = Guard::new(&scratch).unwrap();
    let sleepers = [(); 3].map(|()| {
        let mut sleeper = sh("exec sleep 30");
        let child = sleeper.process_group(0).spawn().unwrap();
        guard.tell("watch", Pid::from_raw(child.id().cast_signed()));
        child
    });
    let [one, mut forgotten, two] = sleepers;
    guard.tell("forget", Pid::from_raw(forgotten.id().cast_signed()));

    drop(guard);

    for mut watched in [one, two] {
        assert_eq!(watched.wait().unwrap().signal(), Some(9));
    }
    assert!(forgotten.try_wait().unwrap().is_none(), "nobody watched it any more");
    forgotten.kill().and_then(|()| forgotten.wait()).unwrap();
}

#[test]
fn the_guard_creates_its_file_at_a_death_and_at_no_other_end() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("a file");
    let guard = || {
        let guard = Guard::new(&scratch.path().join("guarded")).unwrap();
        guard.tells(&file);
        guard
    };

    drop(guard());
    assert!(!file.exists());

    let mut dies = guard();
    *dies.pipe.get_mut().unwrap() = None; // as the kernel closes it
    dies.shell.wait().unwrap();
    assert!(file.exists());
}

#[test]
fn the_guard_removes_the_scratch_directory() {
    let scratch = tempfile::tempdir().unwrap().keep();

    drop(Guard::new(&scratch).unwrap());

    assert!(!scratch.exists());
}
