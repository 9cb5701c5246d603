//! Toxiproxy: an external one, a container of the run, or a process of it.

mod api;
mod lease;
mod server;
mod version;

use std::time::Duration;

use super::toxic::{Direction, Toxic};
use super::upstream::{Upstream, reachable};
use crate::address::Place;
use crate::current_test::legal;
use crate::provider::{REACH_LIMIT, reach};
use crate::run::cleaner::Refused;
use crate::run::{self, ledger};
use crate::server::{Origin, Server};
use crate::service::TOXIPROXY;
use crate::verdict::{Evidence, Told};
use crate::{Error, Heading, background, secret, wait};
use api::{Api, Call};
use lease::Lease;
use server::{Ports, Toxiproxy};

/// A test's name is the first part of a proxy's name, which also names a file and stands in a URL.
const NAME_LIMIT: usize = 80;

/// How many proxies of ended tests wait in a process until it is known whether one failed.
const SPARE: usize = 4;

/// Starts the server of the run.
pub(super) async fn start() -> Result<(), Error> {
    server::of_the_run().await.map(drop)
}

/// A program that uses a port for a moment, as the port of a connection of its own.
const PORT_LIMIT: Duration = Duration::from_secs(5);

/// How long the end of a run waits for a server that does not answer.
const REMOVAL_LIMIT: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(100);

/// A proxy of Toxiproxy.
pub(super) struct Line {
    toxiproxy: &'static Toxiproxy,
    name: String,
    address: String,
    /// The port of a container, which no other test of the run can have.
    lease: Option<Lease>,
}

pub(super) async fn make(test: &str, upstream: &Upstream) -> Result<Line, Error> {
    // To begin with, before a server is started; later together with the proxy.
    let mut there = Some(upstream.clone().expect_there());
    let toxiproxy = match server::known() {
        Some(toxiproxy) => toxiproxy,
        None => {
            ask(&mut there).await?;
            server::of_the_run().await?
        }
    };
    let target = match toxiproxy.target(upstream).await {
        Ok(target) => target,
        // An upstream that is nowhere is in no container, either.
        Err(error) => return Err(ask(&mut there).await.err().unwrap_or(error)),
    };
    let name = unique(test, toxiproxy.run.token());
    if !toxiproxy.server.is_owned() {
        ledger::note(toxiproxy.run.dir(), TOXIPROXY.name, &name, &toxiproxy.server.note())?;
    }
    background::run(async move {
        let there = async {
            match there {
                Some(there) => there.await,
                None => Ok(()),
            }
        };
        let mut made = Box::pin(create(toxiproxy, name, target));
        let (there, early) = {
            let mut there = std::pin::pin!(there);
            tokio::select! {
                there = &mut there => (there, None),
                made = &mut made => (there.await, Some(made)),
            }
        };
        match (there, early) {
            (Ok(()), Some(made)) => made,
            (Ok(()), None) => made.await,
            // It may wait for a port: nobody else does.
            (Err(error), early) => {
                drop(background::start(async move {
                    let made = match early {
                        Some(made) => made,
                        None => made.await,
                    };
                    if let Ok(line) = made {
                        line.remove();
                    }
                }));
                Err(error)
            }
        }
    })
    .await
}

/// Asks whether the upstream is there, unless that was asked before.
async fn ask(
    there: &mut Option<impl Future<Output = Result<(), Error>> + Send + 'static>,
) -> Result<(), Error> {
    match there.take() {
        Some(there) => background::run(there).await,
        None => Ok(()),
    }
}

async fn create(
    toxiproxy: &'static Toxiproxy,
    name: String,
    target: String,
) -> Result<Line, Error> {
    match &toxiproxy.ports {
        Ports::Any { listen, host } => {
            let port = toxiproxy.api.create(&name, &format!("{listen}:0"), &target).await;
            let port = port.map_err(|refused| refused.words(&toxiproxy.api))?;
            let address = format!("{host}:{port}");
            let line = Line { toxiproxy, name, address, lease: None };
            line.expect_reachable().await?;
            Ok(line)
        }
        Ports::Few(few) => {
            let (lease, address) = lease::create(toxiproxy, few, &name, &target).await?;
            Ok(Line { toxiproxy, name, address, lease: Some(lease) })
        }
    }
}

impl Line {
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn set(&self, direction: Direction, toxic: Toxic) -> Result<(), Error> {
        self.call(Call::Set(direction, toxic)).await
    }

    pub(super) async fn cut(&self) -> Result<(), Error> {
        self.call(Call::Enable(false)).await
    }

    pub(super) async fn heal(&self) -> Result<(), Error> {
        self.call(Call::Heal).await?;
        let (api, name) = (&self.toxiproxy.api, self.name.clone());
        background::run(wait_for_port(api, name)).await
    }

    async fn call(&self, call: Call) -> Result<(), Error> {
        let (api, name) = (&self.toxiproxy.api, self.name.clone());
        background::run(async move { api.call(&name, call).await.map_err(|no| no.words(api)) })
            .await
    }

    /// Fails if the server listens where this process cannot connect to it.
    async fn expect_reachable(&self) -> Result<(), Error> {
        if self.toxiproxy.server.origin != Origin::External {
            return Ok(());
        }
        let Err(why) = reachable(&self.address, REACH_LIMIT).await else { return Ok(()) };
        if remove_now(&self.toxiproxy.api, &self.name).await {
            ledger::forget(self.toxiproxy.run.dir(), TOXIPROXY.name, &self.name);
        }
        let var = TOXIPROXY.url_var;
        Err(Error::under(
            Heading::Given,
            format!("the proxies of the Toxiproxy of {var} cannot be reached"),
        )
        .cause(format!("{why}, where it says that one listens"))
        .fix("start it so that all its ports can be reached: docker run --network host")
        .fix(format!("`unset {var}` to have a server started for the run")))
    }

    /// The proxy of a test that has ended.
    pub(super) fn used(self) -> Used {
        let open = format!("curl {}/proxies/{}", self.toxiproxy.api.base(), self.name);
        let grace = run::grace().as_millis();
        let stays = format!("proxy stays until the run ends, {grace} ms after the last test");
        let more = vec![format!("keep it for ten minutes: export {}=600000", run::GRACE_VAR)];
        Used { told: Told { stays, open: Some(open), more }, line: Some(self) }
    }

    /// Removes the proxy, a moment later.
    fn remove(self) {
        drop(background::start(async move {
            let Line { toxiproxy, name, lease, .. } = self;
            // Otherwise the end of the run removes it, or the next test that needs its port.
            if remove_now(&toxiproxy.api, &name).await {
                ledger::forget(toxiproxy.run.dir(), TOXIPROXY.name, &name);
                if let Some(lease) = lease {
                    lease.give_back();
                }
            }
        }));
    }
}

/// Whether the proxy is gone.
async fn remove_now(api: &Api, name: &str) -> bool {
    api.call(name, Call::Remove).await.is_ok()
}

/// Enables a proxy that was cut. Meanwhile its port was free for everybody.
async fn wait_for_port(api: &'static Api, name: String) -> Result<(), Error> {
    let enabled = wait::until_every(POLL, PORT_LIMIT, "the port of the proxy", || async {
        match api.call(&name, Call::Enable(true)).await {
            Err(refused) if refused.is_port_taken() => Err("another program has it"),
            other => Ok(other),
        }
    });
    match enabled.await {
        Ok(enabled) => enabled.map_err(|refused| refused.words(api)),
        Err(error) => Err(Error::under(
            Heading::Proxy,
            "another program took the port of a proxy that was cut",
        )
        .cause(error)
        .fix("run the test again; make a proxy of its own for each cut")),
    }
}

/// A proxy whose test has ended. It is removed when it is known that the test passed.
pub(super) struct Used {
    told: Told,
    line: Option<Line>,
}

impl Evidence for Used {
    fn room(&self) -> usize {
        SPARE
    }

    fn let_go(&mut self) {
        if let Some(line) = self.line.take() {
            line.remove();
        }
    }

    fn told(&self) -> Told {
        self.told.clone()
    }
}

/// Removes a proxy from a server that does not end with the run. It is for the reaper.
pub(super) fn remove(_token: &str, name: &str, note: &str) -> Result<(), Refused> {
    let server = Server::read(&TOXIPROXY, note).map_err(|error| error.to_string())?;
    // A server that is gone is found out at once, not once per proxy.
    let removed = reach(&server.address, REACH_LIMIT).and_then(|()| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let api = Api::new(&server.address).map_err(|error| error.to_string())?;
        let call = wait::within(REMOVAL_LIMIT, api.call(name, Call::Remove));
        match runtime.block_on(call) {
            Some(removed) => removed.map_err(|refused| refused.words(&api).to_string()),
            None => Err(format!("no answer in {REMOVAL_LIMIT:?}")),
        }
    });
    removed.or_else(|why| server.refused(why))
}

/// A name that no other proxy has: on a server that several runs share, the token tells runs apart.
fn unique(test: &str, token: &str) -> String {
    let test = legal(test, NAME_LIMIT);
    format!("{test}.{token}-{}", secret::word())
}

/// The host and port of a server over HTTP.
fn place(server: &Server) -> (String, u16) {
    match &server.address.places()[0] {
        Place::Tcp(host, port) => (host.clone(), *port),
        Place::Socket(..) => unreachable!("an address of HTTP has a host"),
    }
}

#[cfg(test)]
mod tests {
    use super::unique;

    #[test]
    fn the_name_of_a_proxy_is_legal_unique_and_carries_the_tests_name() {
        let (one, two) = (unique("mod::a test/\u{e9}", "t"), unique("mod::a test/\u{e9}", "t"));

        assert!(one.starts_with("mod.a-test--.t-"), "{one}");
        assert_ne!(one, two);
        assert!(unique(&"x".repeat(500), "0123456789abcdef").len() < 200);
    }
}
