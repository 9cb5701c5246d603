//! What a hunt runs beside the test, so that a hidden flake shows.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use testenv::Error;

use crate::hunt_round::Mode;
use crate::{lanes, process};

/// One write of the slow disk, 4 MiB: more than a disk's cache swallows without anybody noticing,
/// and little enough that the disk does not fill.
const WRITE: usize = 4 << 20;

/// The load of a hunt. Dropping it ends the load.
///
/// The load is threads of this process, not processes: the kernel shares cores among threads, and a
/// thread cannot outlive a hunt that was killed.
#[must_use]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts the load of these modes. Files are written in `scratch`, which lies in the temporary
    /// directory of the tests.
    pub(crate) fn start(modes: &[Mode], scratch: &Path) -> Result<Load, Error> {
        let mut load = Load { stop: Arc::default(), threads: Vec::new() };
        if modes.contains(&Mode::Busy) {
            for _ in 0..lanes::cores() {
                load.until_the_end(std::hint::spin_loop);
            }
        }
        if modes.contains(&Mode::SlowDisk) {
            let mut file = File::create(scratch.join("slow-disk")).map_err(process::no_scratch)?;
            let block = vec![1; WRITE];
            load.until_the_end(move || {
                // A full disk is slow enough; what it does to the test is the test's matter.
                file.rewind().and_then(|()| file.write_all(&block)).ok();
                file.sync_all().ok();
            });
        }
        Ok(load)
    }

    fn until_the_end(&mut self, mut work: impl FnMut() + Send + 'static) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                work();
            }
        }));
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok(); // at most one write is still to end; none of them panics
        }
    }
}
