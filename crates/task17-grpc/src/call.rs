//! One call: who counts it, how long it may take, and which metadata goes back.
//!
//! Invariant: a call counts as in progress as long as its [`Call`] lives, and its work owns it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use testenv::fault;
use tokio::time::{Instant, timeout_at};
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::{Response, Status};

use crate::faults;

/// The calls in progress of one service. Clones share the number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    in_progress: Arc<AtomicUsize>,
}

impl Calls {
    pub(crate) fn in_progress(&self) -> usize {
        self.in_progress.load(Ordering::SeqCst)
    }

    /// Counts a call from now until the value is dropped.
    pub(crate) fn begin(&self, metadata: &MetadataMap) -> Call {
        self.in_progress.fetch_add(1, Ordering::SeqCst);
        let deadline = deadline_after(metadata).and_then(|limit| Instant::now().checked_add(limit));
        Call { calls: self.clone(), deadline, echoed: echoed(metadata) }
    }
}

/// A call in progress.
pub(crate) struct Call {
    calls: Calls,
    pub(crate) deadline: Option<Instant>,
    pub(crate) echoed: MetadataMap,
}

impl Drop for Call {
    fn drop(&mut self) {
        if fault!("port-after-a-call") {
            faults::open_a_port();
        }
        self.calls.in_progress.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Does the work, or drops it at the deadline.
pub(crate) async fn until<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let Some(deadline) = deadline else { return work.await };
    timeout_at(deadline, work).await.unwrap_or_else(|_over| Err(too_late()))
}

/// Sends the metadata back with the answer, and with a refusal as well.
pub(crate) fn with_metadata<T>(
    answer: Result<T, Status>,
    echoed: MetadataMap,
) -> Result<Response<T>, Status> {
    match answer {
        Ok(answer) => {
            let mut response = Response::new(answer);
            *response.metadata_mut() = echoed;
            Ok(response)
        }
        Err(status) if fault!("refusal-without-metadata") => Err(status),
        Err(mut status) => {
            *status.metadata_mut() = echoed;
            Err(status)
        }
    }
}

fn too_late() -> Status {
    if fault!("deadline-is-cancelled") {
        return Status::cancelled("Timeout expired");
    }
    Status::deadline_exceeded(faults::in_other_words("the deadline of the call is over"))
}

/// Reads `grpc-timeout`: at most eight digits and a unit. A value that nobody can read is no
/// deadline.
///
/// tonic reads the header too, but stops only calls whose answer has not begun, and with
/// `Cancelled`.
fn deadline_after(metadata: &MetadataMap) -> Option<Duration> {
    if fault!("deadline-ignored") {
        return None;
    }
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_hours(number.into()),
        "M" => Duration::from_mins(number.into()),
        "S" => Duration::from_secs(number.into()),
        "m" => Duration::from_millis(number.into()),
        "u" if fault!("deadline-in-another-unit") => Duration::from_millis(number.into()),
        "u" => Duration::from_micros(number.into()),
        "n" => Duration::from_nanos(number.into()),
        _ => return None,
    })
}

/// Returns the metadata that goes back.
fn echoed(metadata: &MetadataMap) -> MetadataMap {
    let mut echoed = faults::more_metadata();
    for entry in metadata.iter() {
        match entry {
            KeyAndValueRef::Ascii(key, value) if is_echoed(key.as_str()) => {
                if fault!("one-value-per-name") {
                    echoed.insert(key.clone(), value.clone());
                } else {
                    echoed.append(key.clone(), value.clone());
                }
            }
            KeyAndValueRef::Binary(..) if fault!("text-metadata-only") => {}
            KeyAndValueRef::Binary(key, value) if is_echoed(key.as_str()) => {
                echoed.append_bin(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    echoed
}

fn is_echoed(name: &str) -> bool {
    name.starts_with("echo-")
}
