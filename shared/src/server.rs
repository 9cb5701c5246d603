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

use crate::Error;
use crate::docker::reuse;
use crate::provider::{Source, announce};
use crate::run::{Run, held, on_own_thread};

pub(crate) use process::unprivileged;
pub(crate) use served::*;

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
        Source::Native(programs) => {
            // The last one is the server; the others prepare it.
            let program = programs.last().map(|program| program.display().to_string());
            announce(name, &format!("{} ({var} is not set)", program.unwrap_or_default()));
            let secrets = Secrets::new();
            let process = S::process(run, &programs, &secrets).await?;
            let address = process::start::<S>(run, &process, &secrets).await?;
            Server::handshake::<S>(address, Origin::Owned).await?
        }
    };
    Ok(server.note())
}
