//! The server of a run, the same for every service: chosen, started once, made safe, asked what it is, and noted.
//!
//! What differs between services is [`Served`]; what a test is given is the service's own affair.
//!
//! Invariant: of all processes of a run one provides the server; the others read its note.

mod container;
mod kept;
mod process;
mod served;

use crate::Error;
use crate::docker::reuse;
use crate::provider::{Way, say};
use crate::run::{Run, apart, held};

pub(crate) use served::*;

/// The server of the run, provided by the first process that asks. Called once a process.
pub(crate) async fn connect<S: Served>() -> Result<(&'static Run, Server), Error> {
    apart(async || {
        let run = Run::join()?;
        let note = run.once(S::SERVICE.name, provide::<S>).await?;
        let server = Server::read(S::SERVICE, &note)?;
        if server.origin == Origin::Kept {
            held::hold_all(run).await?;
        }
        Ok((run, server))
    })
    .await
}

async fn provide<S: Served>(run: &'static Run) -> Result<String, Error> {
    let (name, var) = (S::SERVICE.name, S::SERVICE.url_var);
    let server = match S::SERVICE.choose()? {
        Way::Url(address) => {
            say(name, &format!("the server of {var}"));
            Server::greet::<S>(address, Origin::External).await?
        }
        Way::Docker(_) if reuse::wanted() => kept::provide::<S>(run).await?,
        Way::Docker(_) => container::provide::<S>(run).await?,
        Way::Native(programs) => {
            // The last one is the server; the others prepare it.
            let program = programs.last().map(|program| program.display().to_string());
            say(name, &format!("{} ({var} is not set)", program.unwrap_or_default()));
            let secrets = Secrets::new();
            let process = S::process(run, &programs, &secrets).await?;
            let address = process::start::<S>(run, &process, &secrets).await?;
            Server::greet::<S>(address, Origin::Owned).await?
        }
    };
    Ok(server.note())
}
