//! Toxiproxy's HTTP API, as much of it as proxies need.
//!
//! Invariant: no call touches anything but the proxy that it names. `POST /reset`, which heals the
//! proxies of all tests, is never called.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::super::toxic::{Direction, Toxic};
use crate::address::Address;
use crate::{Error, Heading, cure};

/// The limit for the first answer. A wrong address must be reported within two seconds, also if a
/// server accepts connections and is no Toxiproxy.
const SIGN_LIMIT: Duration = Duration::from_millis(1100);

/// An answer takes a millisecond. Toxiproxy gives up after 25 s, when a connection does not take
/// what a removed toxic still held.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A change of one proxy.
pub(super) enum Call {
    Set(Direction, Toxic),
    Enable(bool),
    /// Removes all toxics. A proxy that was cut stays cut.
    Heal,
    Remove,
}

/// The API of a server.
pub(super) struct Api {
    client: Client,
    base: String,
}

/// Why a call had no effect.
pub(super) enum Refused {
    /// The server's own words.
    Said(StatusCode, String),
    Silent(String),
}

impl Refused {
    pub(super) fn is_port_taken(&self) -> bool {
        matches!(self, Refused::Said(_, words) if words.contains("address already in use"))
    }

    fn is(&self, status: StatusCode) -> bool {
        matches!(self, Refused::Said(said, _) if *said == status)
    }

    /// The error of a server that answered when the run began.
    pub(super) fn words(self, api: &Api) -> Error {
        match self {
            Refused::Said(status, words) if status == StatusCode::NOT_FOUND => {
                Error::under(Heading::Proxy, "the proxy is gone").cause(words).fix(
                    "let nobody else remove it; a Toxiproxy that was started again has no proxies",
                )
            }
            Refused::Said(_, words) => {
                Error::under(Heading::Given, "Toxiproxy refuses what a test needs").cause(words)
            }
            Refused::Silent(why) => Error::under(
                Heading::Given,
                format!("Toxiproxy at {} does not answer any more", api.base),
            )
            .cause(why),
        }
        .fix(cure::command("doctor"))
    }
}

impl Api {
    pub(super) fn new(address: &Address) -> Result<Api, Error> {
        // A proxy of the environment is for the world outside; it would not reach 127.0.0.1.
        let client = Client::builder().no_proxy().timeout(ANSWER_LIMIT).build();
        let client = client
            .map_err(|cause| Error::under(Heading::Harness, "no HTTP client").cause(cause))?;
        Ok(Api { client, base: address.whole().trim_end_matches('/').to_owned() })
    }

    /// `http://host:port`
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// What the server says of its version.
    pub(super) async fn version(&self) -> Result<String, Refused> {
        let sent = self.client.get(format!("{}/version", self.base)).timeout(SIGN_LIMIT).send();
        answer(sent.await).await
    }

    pub(super) async fn has(&self, name: &str) -> bool {
        self.send(Method::GET, &format!("proxies/{name}"), None).await.is_ok()
    }

    /// Creates a proxy. Returns its port.
    pub(super) async fn create(
        &self,
        name: &str,
        listen: &str,
        upstream: &str,
    ) -> Result<u16, Refused> {
        let proxy = json!({ "name": name, "listen": listen, "upstream": upstream });
        let made = self.send(Method::POST, "proxies", Some(proxy)).await?;
        let listen = field(&made, "listen").unwrap_or_default();
        let port = listen.rsplit(':').next().and_then(|port| port.parse().ok());
        port.ok_or_else(|| Refused::Silent(format!("it named no port of a new proxy: {made}")))
    }

    /// Where each proxy listens.
    pub(super) async fn listening(&self) -> Result<Vec<u16>, Refused> {
        let text = self.send(Method::GET, "proxies", None).await?;
        let proxies: Value = serde_json::from_str(&text).unwrap_or_default();
        let listen = proxies.as_object().into_iter().flatten();
        let listen = listen.filter_map(|(_, proxy)| proxy.get("listen")?.as_str());
        Ok(listen.filter_map(|at| at.rsplit(':').next()?.parse().ok()).collect())
    }

    pub(super) async fn call(&self, name: &str, call: Call) -> Result<(), Refused> {
        match call {
            Call::Set(direction, toxic) => self.set(name, direction, toxic).await,
            Call::Enable(enabled) => {
                // PATCH came with version 2.6.
                let body = json!({ "enabled": enabled });
                self.send(Method::POST, &format!("proxies/{name}"), Some(body)).await.map(drop)
            }
            Call::Heal => self.heal(name).await,
            Call::Remove => self.remove(name).await,
        }
    }

    async fn remove(&self, name: &str) -> Result<(), Refused> {
        match self.send(Method::DELETE, &format!("proxies/{name}"), None).await {
            Err(refused) if !refused.is(StatusCode::NOT_FOUND) => Err(refused),
            _ => Ok(()),
        }
    }

    async fn set(&self, name: &str, direction: Direction, toxic: Toxic) -> Result<(), Refused> {
        let stream = match direction {
            Direction::Upstream => "upstream",
            Direction::Downstream => "downstream",
        };
        let (kind, attributes) = match toxic {
            Toxic::Delay { latency, jitter } => {
                ("latency", json!({ "latency": latency, "jitter": jitter }))
            }
            Toxic::Rate(rate) => ("bandwidth", json!({ "rate": rate })),
            Toxic::Timeout(after) => ("timeout", json!({ "timeout": after })),
            Toxic::Reset(after) => ("reset_peer", json!({ "timeout": after })),
        };
        let toxic = format!("{kind}_{stream}");
        let body = json!({
            "name": toxic, "type": kind, "stream": stream, "toxicity": 1.0, "attributes": attributes,
        });
        let toxics = format!("proxies/{name}/toxics");
        match self.send(Method::POST, &toxics, Some(body.clone())).await {
            Err(refused) if refused.is(StatusCode::CONFLICT) => {
                self.send(Method::POST, &format!("{toxics}/{toxic}"), Some(body)).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    async fn heal(&self, name: &str) -> Result<(), Refused> {
        let toxics = format!("proxies/{name}/toxics");
        let text = self.send(Method::GET, &format!("proxies/{name}"), None).await?;
        let mut proxy: Value = serde_json::from_str(&text).unwrap_or_default();
        if proxy["enabled"] == false {
            // Made anew, it has no toxics. To remove them, Toxiproxy would try for five seconds to
            // send each piece of data that they hold, on connections that were cut.
            self.remove(name).await?;
            proxy["toxics"] = json!([]);
            return self.send(Method::POST, "proxies", Some(proxy)).await.map(drop);
        }
        let listed = proxy["toxics"].as_array().into_iter().flatten();
        for toxic in listed.filter_map(|toxic| toxic["name"].as_str()) {
            if toxic.starts_with("latency") {
                // Lets go what it holds, so that nobody waits for connections that have ended.
                let none = json!({ "attributes": { "latency": 0, "jitter": 0 } });
                self.send(Method::POST, &format!("{toxics}/{toxic}"), Some(none)).await?;
            }
            match self.send(Method::DELETE, &format!("{toxics}/{toxic}"), None).await {
                Err(refused) if !refused.is(StatusCode::NOT_FOUND) => return Err(refused),
                _ => {}
            }
        }
        Ok(())
    }

    async fn send(&self, how: Method, path: &str, body: Option<Value>) -> Result<String, Refused> {
        let mut request = self.client.request(how, format!("{}/{path}", self.base));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        answer(request.send().await).await
    }
}

/// The text of an answer.
async fn answer(sent: reqwest::Result<reqwest::Response>) -> Result<String, Refused> {
    let silent = |error: reqwest::Error| Refused::Silent(innermost(&error));
    let response = sent.map_err(silent)?;
    let status = response.status();
    let text = response.text().await.map_err(silent)?;
    if status.is_success() {
        return Ok(text);
    }
    let words = field(&text, "error").unwrap_or_else(|| format!("status {status}"));
    Err(Refused::Said(status, words))
}

/// A field of an answer.
pub(super) fn field(text: &str, name: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(text).ok()?;
    answer.get(name)?.as_str().map(str::to_owned)
}

/// The cause of an error of the client, whose own words are only "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
