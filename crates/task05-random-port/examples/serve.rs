//! A server to look at: prints its address, and shuts down at Ctrl-C or at the end of its input.

use std::io::{self, Read, Write};

use task05_random_port::Server;
use tokio::sync::oneshot;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let server = Server::start().await?;
    writeln!(
        io::stdout(),
        "listening on http://{}; Ctrl-C or the end of the input stops it",
        server.addr()
    )?;

    tokio::select! {
        signal = tokio::signal::ctrl_c() => signal?,
        () = end_of_input() => {}
    }

    writeln!(io::stdout(), "shutting down: requests in flight may end")?;
    server.shutdown().await?;
    writeln!(io::stdout(), "done")
}

/// A thread of its own reads: tokio's standard input would keep the runtime from ending after Ctrl-C.
async fn end_of_input() {
    let (tell, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let nobody_counts_the_bytes = io::stdin().read_to_end(&mut Vec::new());
        tell.send(nobody_counts_the_bytes).ok();
    });
    ended.await.map(drop).unwrap_or(());
}
