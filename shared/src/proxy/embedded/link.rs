//! A connection through the stand-in: two directions, each with its toxics.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{Notify, watch};

use super::super::toxic::{Direction, Toxic};
use super::State;
use crate::{secret, wait};

/// As much as Toxiproxy reads at once.
const CHUNK: usize = 32 * 1024;

/// As many chunks as Toxiproxy holds while it delays them.
const DELAYED: usize = 1024;

/// The toxics of one direction, in milliseconds and KB/s.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Toxics {
    latency: u64,
    jitter: u64,
    rate: Option<u64>,
    timeout: Option<u64>,
    reset: Option<u64>,
}

impl Toxics {
    pub(super) fn add(&mut self, toxic: Toxic) {
        match toxic {
            Toxic::Delay { latency, jitter } => (self.latency, self.jitter) = (latency, jitter),
            Toxic::Rate(rate) => self.rate = Some(rate),
            Toxic::Timeout(after) => self.timeout = Some(after),
            Toxic::Reset(after) => self.reset = Some(after),
        }
    }

    /// How many chunks may wait. Without a delay, whoever sends too fast has to wait.
    fn room(&self) -> usize {
        if self.latency + self.jitter > 0 { DELAYED } else { 1 }
    }

    /// How many bytes of a chunk go at once. On a narrow line, as many as fit into 100 ms.
    fn piece(&self, chunk: &Chunk) -> usize {
        let most = self.rate.map_or(u64::MAX, |rate| rate.saturating_mul(100));
        chunk.left().len().min(usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// When the first piece of a chunk goes, on a line that is in use until `free`.
    fn due(&self, chunk: &Chunk, free: Instant) -> Instant {
        let delay = self.latency as f64 + self.jitter as f64 * chunk.luck;
        let due = chunk.came + Duration::from_secs_f64(delay.max(0.0) / 1000.0);
        match self.rate {
            // KB/s are bytes in a millisecond.
            Some(rate) => {
                let millis = self.piece(chunk) as f64 / rate as f64;
                due.max(free) + Duration::from_secs_f64(millis / 1000.0)
            }
            None => due,
        }
    }
}

/// Data that was sent.
struct Chunk {
    bytes: Vec<u8>,
    gone: usize,
    came: Instant,
    /// From -1 to 1: its part of the jitter.
    luck: f64,
}

impl Chunk {
    fn new(bytes: &[u8]) -> Chunk {
        let luck = secret::bits() as f64 / u64::MAX as f64 * 2.0 - 1.0;
        Chunk { bytes: bytes.to_vec(), gone: 0, came: Instant::now(), luck }
    }

    fn left(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }
}

/// Carries what both ends send, until one of them closes or a toxic does.
pub(super) async fn carry_both(
    mut client: TcpStream,
    mut server: TcpStream,
    state: &watch::Receiver<State>,
    began: State,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (up_ends, down_ends) = (Notify::new(), Notify::new());
    let ended = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let up = async {
            let up = carry(from_client, to_server, state.clone(), Direction::Upstream, &down_ends);
            let ended = up.await;
            up_ends.notify_one();
            ended
        };
        let down = async {
            let down =
                carry(from_server, to_client, state.clone(), Direction::Downstream, &up_ends);
            let ended = down.await;
            down_ends.notify_one();
            ended
        };
        tokio::try_join!(up, down)
    };
    // As in Toxiproxy, a connection that is older than the toxic is only closed.
    if ended.is_err() && began.toxics.iter().any(|toxics| toxics.reset.is_some()) {
        reset_at_close(&client)?;
        reset_at_close(&server)?;
    }
    Ok(())
}

/// Makes the end of a connection a reset. tokio's `set_zero_linger` does the same, but is newer than
/// the lowest tokio that the harness allows.
fn reset_at_close(stream: &TcpStream) -> io::Result<()> {
    let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    Ok(nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::Linger, &at_once)?)
}

/// The connection is to be reset.
struct Reset;

/// Carries one direction, until its source closes, `other_ends`, or a toxic ends it.
async fn carry(
    mut source: ReadHalf<'_>,
    mut dest: WriteHalf<'_>,
    mut state: watch::Receiver<State>,
    direction: Direction,
    other_ends: &Notify,
) -> Result<(), Reset> {
    let mut queue: VecDeque<Chunk> = VecDeque::new();
    let mut buffer = vec![0; CHUNK];
    let (mut has_ended, mut lost) = (false, false);
    let (mut free, mut heard) = (Instant::now(), Instant::now());
    loop {
        let toxics = state.borrow_and_update().toxics[direction as usize];
        match toxics.timeout {
            Some(_) if !lost => {
                (lost, heard) = (true, Instant::now());
                queue.clear();
            }
            Some(_) => {}
            // Toxiproxy closes what lost data.
            None if lost => break,
            None => {}
        }
        if has_ended && queue.is_empty() {
            break;
        }
        let due = queue.front().map(|chunk| toxics.due(chunk, free));
        let silence = toxics.timeout.filter(|after| *after > 0);
        let closes = silence.map(|after| heard + Duration::from_millis(after));
        tokio::select! {
            changed = state.changed() => if changed.is_err() { break },
            () = other_ends.notified(), if !has_ended => has_ended = true,
            read = source.read(&mut buffer), if !has_ended && queue.len() < toxics.room() => {
                if let Some(after) = toxics.reset {
                    wait::nap(Duration::from_millis(after)).await;
                    return Err(Reset);
                }
                match read {
                    Ok(0) | Err(_) => has_ended = true,
                    Ok(count) => {
                        heard = Instant::now();
                        if toxics.timeout.is_none() {
                            queue.push_back(Chunk::new(&buffer[..count]));
                        }
                    }
                }
            }
            at = reached(due) => {
                let chunk = queue.front_mut().expect("one is due");
                let piece = toxics.piece(chunk);
                if dest.write_all(&chunk.left()[..piece]).await.is_err() {
                    break;
                }
                free = at;
                chunk.gone += piece;
                if chunk.left().is_empty() {
                    queue.pop_front();
                }
            }
            _ = reached(closes) => break,
        }
    }
    dest.shutdown().await.ok(); // it may be closed already
    Ok(())
}

/// Waits for a moment, if there is one.
async fn reached(moment: Option<Instant>) -> Instant {
    let Some(moment) = moment else { return std::future::pending().await };
    wait::nap(moment.saturating_duration_since(Instant::now())).await;
    moment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(length: usize, luck: f64) -> Chunk {
        Chunk { luck, ..Chunk::new(&vec![0; length]) }
    }

    #[test]
    fn a_chunk_is_due_after_its_latency_with_its_part_of_the_jitter() {
        let toxics = Toxics { latency: 500, jitter: 100, ..Toxics::default() };
        let due = |luck| {
            let chunk = chunk(10, luck);
            (toxics.due(&chunk, chunk.came) - chunk.came).as_millis()
        };

        assert_eq!((due(0.0), due(-1.0), due(0.5)), (500, 400, 550));
        let more = Toxics { jitter: 1000, ..toxics };
        let early = chunk(10, -1.0);
        assert_eq!(more.due(&early, early.came), early.came);
    }

    #[test]
    fn on_a_narrow_line_a_chunk_goes_in_pieces_one_after_the_other() {
        let toxics = Toxics { rate: Some(10), ..Toxics::default() };
        let mut chunk = chunk(2500, 0.0);
        let mut free = chunk.came;
        let mut went = Vec::new();

        while !chunk.left().is_empty() {
            let (piece, due) = (toxics.piece(&chunk), toxics.due(&chunk, free));
            went.push((piece, (due - chunk.came).as_millis()));
            (free, chunk.gone) = (due, chunk.gone + piece);
        }

        assert_eq!(went, [(1000, 100), (2000 - 1000, 200), (500, 250)]);
    }
}
