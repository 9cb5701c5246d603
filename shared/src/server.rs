//! The server of a run, the same for every service. It is chosen, started once, secured, asked what
//! it is, and noted.
//!
//! [`Served`] has what differs between services. What a test gets is up to the service.
//!
//! Invariant: of all processes of a run, one provides the server. The other processes read its
//! note.

mod container;
mod kept;
mod process;
mod served;

use std::future::Future;
use std::thread;

use crate::docker::reuse;
use crate::provider::{Source, announce};
use crate::run::{Run, START_VAR, held, on_own_thread};
use crate::{Error, Heading};

pub(crate) use process::unprivileged;
pub(crate) use served::*;

/// A service, and how its server is started. Blocks.
pub(crate) type Starter = (&'static str, fn() -> Result<(), Error>);

/// Called before `main`.
pub(crate) fn start_if_asked(starters: &'static [Starter]) {
    let Ok(names) = std::env::var(START_VAR) else { return };
    // A run of the tests that ended here would read as passed.
    if !std::env::args_os().any(|argument| argument == "--list") {
        return;
    }
    let asked = starters.iter().filter(|(name, _)| names.split(',').any(|asked| asked == *name));
    // All at once: a broker starts as long as all others together.
    let started: Vec<_> = asked.map(|(_, start)| thread::spawn(start)).collect();
    let failed = started.into_iter().filter_map(|start| start.join().map_or(None, Result::err));
    // The test that needs the server says it with its name.
    let is_failed = failed.count() > 0;
    #[expect(clippy::exit, reason = "the tests are not asked for")]
    std::process::exit(i32::from(is_failed));
}

/// What a [`Starter`] waits for.
pub(crate) fn start<T>(server: impl Future<Output = Result<T, Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| {
        Error::under(Heading::Machine, "cannot start a Tokio runtime").cause(cause)
    })?;
    runtime.block_on(server).map(drop)
}

/// The server of the run. The first process that asks provides it. It is called once per process.
pub(crate) async fn connect<S: Served>() -> Result<(&'static Run, Server), Error> {
    on_own_thread(async || {
        let run = Run::join()?;
        let note = run.once(S::SERVICE.name, start_or_connect::<S>).await?;
        let server = Server::read(S::SERVICE, &note)?;
        if server.origin == Origin::Kept {
            held::hold_all(run).await?;
        }
        Ok((run, server))
    })
    .await
}

async fn start_or_connect<S: Served>(run: &'static Run) -> Result<String, Error> {
    let (name, var) = (S::SERVICE.name, S::SERVICE.url_var);
    let server = match S::SERVICE.choose()? {
        Source::Url(address) => {
            announce(name, &format!("the server of {var}"));
            Server::handshake::<S>(address, Origin::External).await?
        }
        Source::Docker(_) if reuse::wanted() => kept::start_or_connect::<S>(run).await?,
        Source::Docker(_) => container::start_or_connect::<S>(run).await?,
        Source::Native(programs, no_engine) => {
            // The last one is the server; the others prepare it.
            let program = programs.last().map(|program| program.display().to_string());
            announce(
                name,
                &format!("{} ({no_engine}; {var} is not set)", program.unwrap_or_default()),
            );
            let secrets = Secrets::new();
            let process = S::process(run, &programs, &secrets).await?;
            let address = process::start::<S>(run, &process, &secrets).await?;
            Server::handshake::<S>(address, Origin::Owned).await?
        }
    };
    Ok(server.note())
}
