//! How a test wakes the reaper: a FIFO in the run's directory, or, on a file system that has none, not at all: then the reaper looks often.
//!
//! Invariant: what was asked for is seen in [`LOOK`] at the latest, with or without a FIFO.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::stat::Mode;
use tokio::sync::Notify;

const BELL: &str = "bell";

/// Without a FIFO: as often as anything else in the harness is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// With one: a ring can be lost, as a test that has no descriptor left cannot open it.
const RARE_LOOK: Duration = Duration::from_millis(500);

/// The reaper's end. One [`Notify`] per loop: a ring that comes while a loop is at work is kept for it, and the other cannot take it away.
pub(super) struct Bell {
    pub(super) to_make: Notify,
    pub(super) to_clear: Notify,
    rings: AtomicBool,
}

impl Bell {
    pub(super) fn hang(run: &Path) -> Arc<Bell> {
        let fifo = fifo(run);
        let bell = Arc::new(Bell {
            to_make: Notify::new(),
            to_clear: Notify::new(),
            rings: AtomicBool::new(fifo.is_ok()),
        });
        match fifo {
            Ok(fifo) => {
                let bell = bell.clone();
                std::thread::spawn(move || bell.listen(fifo));
            }
            Err(why) => {
                let line = format!("no FIFO in {} ({why}); looking every {LOOK:?}", run.display());
                log(&line);
            }
        }
        bell
    }

    fn listen(&self, mut fifo: File) {
        let mut rings = [0; 64];
        while fifo.read(&mut rings).is_ok_and(|length| length > 0) {
            self.to_make.notify_one();
            self.to_clear.notify_one();
        }
        self.rings.store(false, Ordering::Relaxed);
    }

    /// Waits for a ring, or until it is time to look without one.
    pub(super) async fn rung(&self, hearer: &Notify) {
        let look = if self.rings.load(Ordering::Relaxed) { RARE_LOOK } else { LOOK };
        tokio::time::timeout(look, hearer.notified()).await.ok();
    }
}

fn fifo(run: &Path) -> Result<File, String> {
    let path = run.join(BELL);
    let made = nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR);
    // A reaper with other services may have made it.
    if let Err(error) = made
        && !path.metadata().is_ok_and(|file| file.file_type().is_fifo())
    {
        return Err(error.to_string());
    }
    // Opened for both, so that it is never at its end.
    File::options().read(true).write(true).open(&path).map_err(|error| error.to_string())
}

/// Wakes the reaper. A bell that nobody hears (the reaper was killed) or that is already ringing needs no second ring.
pub(super) fn ring(run: &Path) {
    let bell = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(run.join(BELL));
    bell.and_then(|mut bell| bell.write_all(b"!")).ok(); // the reaper looks without a ring, too
}

/// To the reaper's log.
pub(super) fn log(line: &str) {
    writeln!(std::io::stderr(), "copies: {line}").ok(); // there is no other place to say it
}
