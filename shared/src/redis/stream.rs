//! Connections whose answers have a limit of real time.
//!
//! The client's own limit is of tokio's time. If a test has stopped that clock
//! (`tokio::time::pause`), the limit is over as soon as the runtime only waits for the server.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_timer::Delay;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::LIMIT;
use crate::wait::{self, HeldClock};

/// Opens a connection, which lives as long as the runtime on which it is opened.
pub(super) async fn open(info: &ConnectionInfo) -> RedisResult<MultiplexedConnection> {
    let _until_it_is_open = HeldClock::new();
    let opened = async {
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                // Commands of tasks that share a connection would wait 40 ms for each other's acknowledgements.
                stream.set_nodelay(true)?;
                serve(info, stream).await
            }
            ConnectionAddr::Unix(path) => serve(info, UnixStream::connect(path).await?).await,
            // Through TLS the client alone knows the way.
            _ => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(LIMIT))
                    .set_response_timeout(Some(LIMIT));
                let client = redis::Client::open(info.clone())?;
                client.get_multiplexed_async_connection_with_config(&config).await
            }
        }
    };
    let opened = wait::within(LIMIT, opened).await;
    opened.unwrap_or_else(|| Err(too_late().into()))
}

async fn serve<S>(info: &ConnectionInfo, stream: S) -> RedisResult<MultiplexedConnection>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let stream = Limited { stream, limit: LIMIT, asked: None, timer: None };
    let (connection, driver) =
        MultiplexedConnection::new_with_config(info.redis_settings(), stream, config).await?;
    // Ends with the last clone of the connection.
    tokio::spawn(driver);
    Ok(connection)
}

fn too_late() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("no answer of the Redis server within {LIMIT:?}"),
    )
}

/// A stream that fails when an answer takes longer than the limit.
struct Limited<S> {
    stream: S,
    limit: Duration,
    /// Since when the stream waits for an answer. `None` if it does not wait.
    asked: Option<Instant>,
    /// Set if there is none, and again when it ends. A timer for each answer would wake the timers'
    /// thread for each answer.
    timer: Option<Delay>,
}

impl<S> Limited<S> {
    /// Ready when the answer is too late.
    fn poll_limit(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let Some(asked) = self.asked else { return Poll::Pending };
            let left = self.limit.saturating_sub(asked.elapsed());
            if left.is_zero() {
                return Poll::Ready(too_late());
            }
            let timer = self.timer.get_or_insert_with(|| Delay::new(left));
            ready!(Pin::new(timer).poll(context));
            self.timer = None;
        }
    }

    fn written(&mut self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.asked.get_or_insert_with(Instant::now);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.asked = None;
            return Poll::Ready(read);
        }
        self.poll_limit(context).map(Err)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_is_late_is_an_error_and_silence_unasked_is_none() {
        let (mine, theirs) = UnixStream::pair().unwrap();
        let limit = Duration::from_millis(50);
        let mut limited = Limited { stream: mine, limit, asked: None, timer: None };
        let read = async |limited: &mut Limited<UnixStream>| {
            let mut bytes = [0; 8];
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = std::future::poll_fn(|context| {
                Pin::new(&mut *limited).poll_read(context, &mut buffer)
            });
            wait::within(4 * limit, read).await.map(|read| read.map(|()| buffer.filled().to_vec()))
        };
        let ask = async |limited: &mut Limited<UnixStream>| {
            std::future::poll_fn(|context| Pin::new(&mut *limited).poll_write(context, b"?"))
                .await
                .unwrap()
        };

        let unasked = read(&mut limited).await;
        ask(&mut limited).await;
        assert_eq!(theirs.try_write(b"!").unwrap(), 1);
        let answered = read(&mut limited).await.unwrap().unwrap();
        ask(&mut limited).await;
        let late = read(&mut limited).await.unwrap().unwrap_err();

        assert!(unasked.is_none());
        assert_eq!(answered, b"!");
        assert!(late.to_string().contains("no answer of the Redis server"), "{late}");
    }
}
