//! The keyboard, key by key.

use std::io::{Write, stdin};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use testenv::Error;

use crate::process::cannot_start;

/// As long as this value lives, a key is read when it is typed, and not shown. Without a terminal,
/// nothing is changed.
#[must_use]
pub(crate) struct Keys {
    before: Option<(Termios, Child)>,
}

impl Keys {
    pub(crate) fn read_one_by_one() -> Result<Keys, Error> {
        let Ok(before) = tcgetattr(stdin().as_fd()) else { return Ok(Keys { before: None }) };
        let guard = guard()?;
        let mut now = before.clone();
        // Ctrl-C is a key too: the command ends in order.
        now.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
        tcsetattr(stdin().as_fd(), SetArg::TCSANOW, &now)
            .map_err(|cause| Error::new("the terminal takes no settings").cause(cause))?;
        Ok(Keys { before: Some((before, guard)) })
    }
}

/// A process that gives the terminal its settings back when this process is killed.
fn guard() -> Result<Child, Error> {
    const SCRIPT: &str = r#"trap '' TTOU INT HUP
        before=$(stty -g <&2) || exit 0
        echo ready
        read -r ended || stty "$before" <&2"#;
    let failed = |cause| cannot_start("sh", cause);
    let terminal = stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let mut guard = Command::new("sh");
    guard.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(terminal);
    let mut guard = guard.spawn().map_err(failed)?;
    // Once it knows the settings, they can be changed.
    if let Some(mut said) = guard.stdout.take() {
        std::io::Read::read(&mut said, &mut [0; 6]).ok();
    }
    Ok(guard)
}

impl Drop for Keys {
    fn drop(&mut self) {
        let Some((before, guard)) = &mut self.before else { return };
        tcsetattr(stdin().as_fd(), SetArg::TCSANOW, before).ok(); // it may be gone
        if let Some(mut pipe) = guard.stdin.take() {
            pipe.write_all(b"ended\n").ok();
        }
        guard.wait().ok();
    }
}
