//! How a test wakes the reaper: through a FIFO in the run's directory. A file system without FIFOs
//! has no wake-up: then the reaper looks often.
//!
//! Invariant: the reaper sees a request after [`RARE_POLL`] at the latest with a FIFO, and after
//! [`POLL`] at the latest without one.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::stat::Mode;
use tokio::sync::Notify;

/// The FIFO's name in the run's directory.
const FIFO: &str = "wake";

/// The pause between two looks without a FIFO, as in the rest of the harness.
const POLL: Duration = Duration::from_millis(20);

/// The pause with a FIFO. A byte can be lost: for example, a test that has no descriptor left
/// cannot open the FIFO.
const RARE_POLL: Duration = Duration::from_millis(500);

/// The reaper's end. One [`Notify`] per loop: `Notify` stores a single permit, so a shared one could be
/// consumed by the other loop.
pub(super) struct Wake {
    pub(super) to_make: Notify,
    pub(super) to_clear: Notify,
    has_fifo: AtomicBool,
}

impl Wake {
    pub(super) fn open(run: &Path) -> Arc<Wake> {
        let fifo = fifo(run);
        let wake = Arc::new(Wake {
            to_make: Notify::new(),
            to_clear: Notify::new(),
            has_fifo: AtomicBool::new(fifo.is_ok()),
        });
        match fifo {
            Ok(fifo) => {
                let wake = wake.clone();
                std::thread::spawn(move || wake.listen(fifo));
            }
            Err(why) => {
                let line = format!("no FIFO in {} ({why}); looking every {POLL:?}", run.display());
                log(&line);
            }
        }
        wake
    }

    fn listen(&self, mut fifo: File) {
        let mut bytes = [0; 64];
        while fifo.read(&mut bytes).is_ok_and(|length| length > 0) {
            self.to_make.notify_one();
            self.to_clear.notify_one();
        }
        self.has_fifo.store(false, Ordering::Relaxed);
    }

    /// Waits until a test wakes the reaper, or until it is time to look.
    pub(super) async fn woken(&self, waiter: &Notify) {
        let look = if self.has_fifo.load(Ordering::Relaxed) { RARE_POLL } else { POLL };
        tokio::time::timeout(look, waiter.notified()).await.ok();
    }
}

fn fifo(run: &Path) -> Result<File, String> {
    let path = run.join(FIFO);
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

/// Wakes the reaper. Nothing has to be done if nobody reads (the reaper was killed), or if the
/// reaper is awake already.
pub(super) fn wake(run: &Path) {
    let fifo = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(run.join(FIFO));
    fifo.and_then(|mut fifo| fifo.write_all(b"!")).ok(); // the reaper looks from time to time, too
}

/// Writes a line to the reaper's log.
pub(super) fn log(line: &str) {
    writeln!(std::io::stderr(), "copies: {line}").ok(); // there is no other place to say it
}
