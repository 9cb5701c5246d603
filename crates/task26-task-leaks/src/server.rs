//! The server: a task that accepts, and a task for each subscriber.

use std::io;

use testenv::fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

/// Returns when the feed is told to stop, or is dropped.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok(); // without a sender the feed is gone
}

/// Like [`stopped`], for a task.
pub(crate) async fn told_to_stop(mut stop: watch::Receiver<bool>) {
    stopped(&mut stop).await;
}

/// Accepts subscribers until the feed stops. Returns when the task of the last one has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    live: broadcast::Sender<String>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut stop), if !fault!("server-goes-on") => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection(stream, live.subscribe(), stop.clone()));
            }
        }
    }
    drop(listener);
    if fault!("connections-detached") {
        connections.detach_all();
    }
    if fault!("aborts-connections") {
        connections.abort_all();
    }
    while connections.join_next().await.is_some() {}
}

/// Serves a subscriber until it is gone or the feed stops.
async fn connection(
    stream: TcpStream,
    lines: broadcast::Receiver<String>,
    mut stop: watch::Receiver<bool>,
) {
    let (reader, writer) = stream.into_split();
    let ignores_stop = fault!("connections-detached") || fault!("waits-for-subscribers");
    if fault!("reader-forgotten") {
        let reading = tokio::spawn(gone(reader));
        return tokio::select! {
            () = stopped(&mut stop) => {}
            _ = reading => {}
            _ = deliver(writer, lines) => {}
        };
    }
    tokio::select! {
        () = stopped(&mut stop), if !ignores_stop => {}
        () = gone(reader), if !fault!("gone-subscriber-stays") => {}
        _ = deliver(writer, lines) => {}
    }
}

/// Returns when the subscriber has closed its connection. What it says is not read.
async fn gone(mut reader: OwnedReadHalf) {
    let mut ignored = [0; 256];
    while reader.read(&mut ignored).await.is_ok_and(|length| length > 0) {}
}

async fn deliver(
    mut writer: OwnedWriteHalf,
    mut lines: broadcast::Receiver<String>,
) -> io::Result<()> {
    writer.write_all(b"hello\n").await?;
    loop {
        match lines.recv().await {
            Ok(line) => writer.write_all(format!("{line}\n").as_bytes()).await?,
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}
