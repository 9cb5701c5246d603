//! `doctor`: for every service, what would serve it here, and what cures each gap.
//!
//! Invariant: it ends within two seconds. Each probe has a thread and a limit of its own, and one that comes back too late is told as such.

use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use testenv::Error;
use testenv::provider::{self, PROVIDER_VAR, SERVICES, Service};

use crate::images;
use crate::say::{self, BAD, DIM, GOOD, STRONG, paint};

/// What all probes together may take; the rest of the two seconds is for starting and printing.
const LIMIT: Duration = Duration::from_millis(1700);
/// For what must be asked before something else can be: the engine before its images.
const FIRST: Duration = Duration::from_millis(600);

/// One way to a service.
#[derive(Clone)]
enum Way {
    /// It can serve, and this is what it is.
    Serves(String),
    /// It cannot, and this is why; the cure, where one command cures it.
    Cannot { why: String, cure: Option<String> },
    /// It would need the engine, of which is said once what it lacks.
    NoEngine,
    /// Nobody asked for it.
    Unused,
}

/// Prints the table. The exit code is 0 when every service can be served on real servers.
pub(crate) fn doctor() -> ExitCode {
    let until = Instant::now() + LIMIT;
    let forced = std::env::var(PROVIDER_VAR).ok().filter(|way| !way.is_empty());
    let engine = ask(|| provider::ping_docker(FIRST));
    let urls: Vec<_> = SERVICES.iter().map(|service| ask(|| url(service))).collect();
    let natives: Vec<_> = SERVICES.iter().map(|service| ask(|| native(service))).collect();
    let engine = engine
        .recv_timeout(until.saturating_duration_since(Instant::now()))
        .unwrap_or_else(|_| Err("it did not answer in time".into()));
    let dockers: Vec<_> = SERVICES
        .iter()
        .map(|service| {
            let engine = engine.clone();
            ask(|| docker(service, engine))
        })
        .collect();

    let rows: Vec<Row> = SERVICES
        .iter()
        .zip(urls.iter().zip(dockers.iter().zip(&natives)))
        .map(|(service, (url, (docker, native)))| Row {
            service,
            url: answer(url, until),
            docker: answer(docker, until),
            native: fetchable(service, answer(native, until), &engine),
            forced: forced.clone(),
        })
        .collect();
    show(&rows, &engine);
    if rows.iter().all(|row| row.serving().is_some()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A service with the answers of its ways.
struct Row {
    service: &'static Service,
    url: Way,
    docker: Way,
    native: Way,
    forced: Option<String>,
}

impl Row {
    /// What would serve in the integration tier, chosen as the harness chooses: a URL that is set is used or fails, then Docker, then native.
    fn serving(&self) -> Option<String> {
        let allowed = |way: &str| self.forced.as_deref().is_none_or(|forced| forced == way);
        match (&self.url, &self.docker, &self.native) {
            (Way::Serves(what), _, _) => Some(format!("URL {what}")),
            (Way::Cannot { .. }, _, _) => None,
            (_, Way::Serves(what), _) if allowed("docker") => Some(format!("Docker {what}")),
            (_, _, Way::Serves(what)) if allowed("native") => Some(format!("native {what}")),
            _ => None,
        }
    }

    /// Why a way is closed and what opens it.
    fn gaps(&self) -> Vec<String> {
        let ways = [("URL", &self.url), ("Docker", &self.docker), ("native", &self.native)];
        let gaps = ways.into_iter().filter_map(|(name, way)| match way {
            Way::Cannot { why, cure } => {
                let cure = cure
                    .as_ref()
                    .map_or_else(String::new, |cure| format!("\n      to fix: {cure}"));
                Some(format!("  {} by {name}: {why}{cure}", self.service.name))
            }
            _ => None,
        });
        let mut gaps: Vec<String> = gaps.collect();
        if self.serving().is_none()
            && let Some(forced) = &self.forced
        {
            gaps.push(format!("  {}: {PROVIDER_VAR}={forced} rules the other ways out\n      to fix: unset {PROVIDER_VAR}", self.service.name));
        }
        if self.serving().is_none() && matches!(self.url, Way::Unused) {
            gaps.push(format!(
                "  {} by URL: no server of yours is named\n      to fix: export {}=<its address>",
                self.service.name, self.service.url_var
            ));
        }
        gaps
    }
}

fn url(service: &'static Service) -> Way {
    let var = service.url_var;
    let cure = Some(format!("unset {var}, or name a server that answers"));
    match service.given() {
        Ok(None) => Way::Unused,
        Ok(Some(address)) => match provider::reach(&address, provider::REACH_LIMIT) {
            Ok(()) => Way::Serves(address.to_string()),
            Err(why) => Way::Cannot { why: format!("{var}={address}: {why}"), cure },
        },
        Err(why) => Way::Cannot { why: format!("{var}: {why}"), cure },
    }
}

fn docker(service: &Service, engine: Result<(), String>) -> Way {
    if engine.is_err() {
        return Way::NoEngine;
    }
    match images::present(service.image, images::INSPECT_LIMIT) {
        Ok(Some(name)) => Way::Serves(name),
        Ok(None) => Way::Cannot {
            why: format!("the image {} is not there", images::wanted(service.image)),
            cure: Some("cargo course setup".into()),
        },
        Err(why) => Way::Cannot { why, cure: Some("cargo course setup --install".into()) },
    }
}

fn native(service: &Service) -> Way {
    if service.native.is_empty() {
        return Way::Unused;
    }
    match service.native_programs() {
        // They come from one directory, and the last one is the server.
        Ok(programs) => Way::Serves(
            programs.last().map_or_else(String::new, |server| server.display().to_string()),
        ),
        Err(why) => Way::Cannot { why, cure: None },
    }
}

/// What `setup` fetches where it can build no image.
fn fetchable(service: &Service, native: Way, engine: &Result<(), String>) -> Way {
    match native {
        Way::Cannot { why, cure: None } if service.fetched && engine.is_err() => {
            Way::Cannot { why, cure: Some("cargo course setup".into()) }
        }
        other => other,
    }
}

fn show(rows: &[Row], engine: &Result<(), String>) {
    let serving = |row: &Row| row.serving().unwrap_or_else(|| "nothing".into());
    let width =
        rows.iter().map(|row| serving(row).len()).max().unwrap_or(0).max("integration tier".len());
    let header = format!(
        "{:10}  {:8}  {:8}  {:8}  {:width$}  plain tier",
        "service", "URL", "Docker", "native", "integration tier"
    );
    say::out(paint(STRONG, header.trim_end()));
    for row in rows {
        let style = if row.serving().is_some() { GOOD } else { BAD };
        let cells = [&row.url, &row.docker, &row.native].map(cell).join("  ");
        let embedded = if row.service.embedded.is_empty() { "-" } else { row.service.embedded };
        say::out(format_args!(
            "{:10}  {cells}  {}  {embedded}",
            row.service.name,
            paint(style, format_args!("{:width$}", serving(row)))
        ));
    }
    match engine {
        Ok(()) => say::out(format_args!("\nDocker answers at {}", provider::docker_host())),
        Err(why) => {
            let gap = Error::new("\nDocker does not answer").cause(why);
            say::out(crate::engine::cure(why).into_iter().fold(gap, Error::fix));
        }
    }
    for gap in rows.iter().flat_map(Row::gaps) {
        say::out(gap);
    }
}

fn cell(way: &Way) -> String {
    match way {
        Way::Serves(_) => paint(GOOD, format_args!("{:8}", "yes")),
        Way::Cannot { .. } | Way::NoEngine => paint(BAD, format_args!("{:8}", "no")),
        Way::Unused => paint(DIM, format_args!("{:8}", "-")),
    }
}

fn ask<T: Send + 'static>(probe: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(probe()).ok());
    told
}

fn answer(probe: &Receiver<Way>, until: Instant) -> Way {
    let left = until.saturating_duration_since(Instant::now());
    probe
        .recv_timeout(left)
        .unwrap_or_else(|_| Way::Cannot { why: "it did not answer in time".into(), cure: None })
}
