//! `watch`: checks at each save, and hears keys.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use testenv::wait;

use crate::workspace::{SOLUTION, Workspace};

const LIMIT: Duration = Duration::from_secs(60);

/// A running `watch`, and what it has said.
struct Watching {
    process: Child,
    said: Arc<Mutex<String>>,
}

impl Watching {
    fn new(mut command: Command) -> Watching {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = process.stdout.take().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut part = [0; 1024];
            while let Ok(length @ 1..) = stdout.read(&mut part) {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..length]));
            }
        });
        Watching { process, said }
    }

    /// Waits until this was said, and forgets all that was said up to there.
    #[track_caller]
    fn expect(&self, words: &str) {
        let said = wait::until_blocking(LIMIT, words, || {
            let mut said = self.said.lock().unwrap();
            let Some(at) = said.find(words) else { return Err(said.clone()) };
            *said = said.split_off(at + words.len());
            Ok(())
        });
        said.unwrap();
    }

    fn expect_end(mut self, code: Option<i32>) {
        let ended = wait::until_blocking(LIMIT, "the end of the command", || {
            self.process.try_wait().unwrap().ok_or("it runs")
        });
        assert_eq!(ended.unwrap().code(), code);
    }
}

#[test]
fn a_save_is_checked_and_each_key_does_what_it_says() {
    let workspace = Workspace::new();
    let mut command = workspace.command(&["watch", "sum"]);
    let mut watching = Watching::new({
        command.stdin(Stdio::piped());
        command
    });
    let mut keys = watching.process.stdin.take().unwrap();
    watching.expect("task01-sum: 0/2 faults caught");
    watching.expect("q quit");

    keys.write_all(b"h").unwrap();
    watching.expect("HINT-OF-MINUS");
    keys.write_all(b"l").unwrap();
    watching.expect("> task01-sum     0/2");

    workspace.exercise(SOLUTION);
    watching.expect("task01-sum: 2/2 faults caught");
    watching.expect("q quit");

    keys.write_all(b"n").unwrap();
    watching.expect("cargo course check task02-more");
    watching.expect("task02-more: 0/2 faults caught");
    watching.expect("q quit");

    keys.write_all(b"q").unwrap();
    watching.expect_end(Some(0));
    // The guard of a check removes its files a moment later.
    wait::until_blocking(LIMIT, "the end of the last check", || {
        let left = workspace.left_in_temp();
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    })
    .unwrap();
}

#[test]
fn the_terminal_is_left_as_it_was_however_the_command_ends() {
    let workspace = Workspace::new();
    for is_killed in [false, true] {
        let terminal = openpty(None, None).unwrap();
        let flags = |fd: &OwnedFd| tcgetattr(fd.as_fd()).unwrap().local_flags;
        let before = flags(&terminal.slave);
        let mut command = workspace.command(&["watch", "sum"]);
        // A session of its own, with a shell, whose terminal is this one.
        command = {
            let mut session = Command::new("setsid");
            session.args(["--ctty", "--wait", "sh", "-c", "\"$0\" \"$@\"; exit $?"]);
            session.arg(command.get_program()).args(command.get_args());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => session.env(name, value),
                    None => session.env_remove(name),
                };
            }
            session.current_dir(workspace.root());
            session
        };
        command.stdin(terminal.slave.try_clone().unwrap());
        let watching = Watching::new(command);
        watching.expect("q quit");
        assert!(!flags(&terminal.slave).intersects(LocalFlags::ICANON | LocalFlags::ECHO));

        if is_killed {
            let pid = pid_of(watching.process.id());
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        } else {
            let mut keyboard = std::fs::File::from(terminal.master.try_clone().unwrap());
            keyboard.write_all(b"q").unwrap();
        }

        wait::until_blocking(LIMIT, "the settings of before", || {
            if flags(&terminal.slave) == before { Ok(()) } else { Err("others") }
        })
        .unwrap();
        watching.expect_end(if is_killed { Some(137) } else { Some(0) });
    }
}

/// The process of `cargo course` among those that this one has started.
fn pid_of(starter: u32) -> i32 {
    let name = std::fs::read_to_string(format!("/proc/{starter}/comm")).unwrap();
    if name.trim() == "course" {
        return i32::try_from(starter).unwrap();
    }
    let children = std::fs::read_to_string(format!("/proc/{starter}/task/{starter}/children"));
    pid_of(children.unwrap().split_whitespace().next().unwrap().parse().unwrap())
}
