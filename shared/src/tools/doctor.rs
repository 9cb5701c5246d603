//! `doctor`: shows what would serve each service here, and the cure for each gap.
//!
//! Invariant: it ends within two seconds. Each probe has a thread and a limit of its own. A probe
//! that returns too late is reported as too late.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::say::{self, BAD, DIM, GOOD, STRONG, paint};
use super::{engine, images};
use crate::cure::command;
use crate::provider::{self, PROVIDER_VAR, Source};
use crate::service::{SERVICES, Service};
use crate::{Error, Heading, images::Image, project};

/// The limit for all probes together. The rest of the two seconds is for starting and printing.
const LIMIT: Duration = Duration::from_millis(1700);
/// The limit for a probe on which others depend: the engine comes before its images.
const FIRST: Duration = Duration::from_millis(600);

/// The answer about one source of a service.
#[derive(Clone)]
enum Answer {
    /// It can serve. The text says what it is.
    Serves(String),
    /// It cannot serve, for this reason. The cure is there if one command cures it.
    Cannot { why: String, cure: Option<String> },
    /// It needs the engine. What the engine lacks is said only once.
    NoEngine,
    /// Nobody asked for it.
    Unused,
}

/// Prints the table. The exit code is 0 when every service can be served on real servers.
pub fn doctor() -> ExitCode {
    let until = Instant::now() + LIMIT;
    let engine = ask(|| provider::ping_docker(FIRST));
    let urls: Vec<_> = SERVICES.iter().map(|service| ask(|| reach(service))).collect();
    let natives: Vec<_> =
        SERVICES.iter().map(|service| ask(|| service.native_programs())).collect();
    let engine = answer(&engine, until).unwrap_or_else(Err);
    let dockers: Vec<_> = SERVICES
        .iter()
        .map(|service| {
            engine.is_ok().then(|| ask(|| images::present(service.image, images::INSPECT_LIMIT)))
        })
        .collect();

    let rows: Vec<Row> = SERVICES
        .iter()
        .zip(urls.iter().zip(dockers.iter().zip(&natives)))
        .map(|(service, (url, (docker, native)))| {
            let reached = answer(url, until).unwrap_or_else(Err);
            let image = docker.as_ref().map(|image| answer(image, until).unwrap_or_else(Err));
            let programs = answer(native, until).unwrap_or_else(Err);
            Row::new(service, reached, &engine, image, programs)
        })
        .collect();
    show(&rows, &engine);
    if rows.iter().all(|row| row.serving().is_some()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A service, the answers of its sources, and the source that a test would use.
struct Row {
    service: &'static Service,
    url: Answer,
    docker: Answer,
    native: Answer,
    chosen: Result<Source, Error>,
}

impl Row {
    fn new(
        service: &'static Service,
        reached: Result<(), String>,
        engine: &Result<(), String>,
        image: Option<Result<Option<String>, String>>,
        programs: Result<Vec<PathBuf>, String>,
    ) -> Row {
        Row {
            service,
            url: url(service, &reached),
            docker: image.map_or(Answer::NoEngine, |image| docker(service.image, image)),
            native: native(service, &programs, engine),
            chosen: service.choose_by(|_| reached, || engine.clone(), || programs),
        }
    }

    /// What would serve in the integration tier: the source that the harness chooses, if it can
    /// serve now. (A test would pull a missing image, or fail.)
    fn serving(&self) -> Option<String> {
        let (way, answer) = match self.chosen.as_ref().ok()? {
            Source::Url(_) => ("URL", &self.url),
            Source::Docker(_) => ("Docker", &self.docker),
            Source::Native(..) => ("native", &self.native),
        };
        if let Answer::Serves(what) = answer { Some(format!("{way} {what}")) } else { None }
    }

    /// Why a source cannot serve, and what cures that.
    fn gaps(&self) -> Vec<String> {
        let name = self.service.name;
        let ways = [("URL", &self.url), ("Docker", &self.docker), ("native", &self.native)];
        let gaps = ways.into_iter().filter_map(|(way, answer)| match answer {
            Answer::Cannot { why, cure } => {
                let cure = cure
                    .as_ref()
                    .map_or_else(String::new, |cure| format!("\n      to fix: {cure}"));
                Some(format!("  {name} by {way}: {why}{cure}"))
            }
            _ => None,
        });
        let mut gaps: Vec<String> = gaps.collect();
        if self.serving().is_some() {
            return gaps;
        }
        if let Err(error) = project::of(name) {
            gaps.push(format!("  {name}: {}", error.to_string().replace('\n', "\n    ")));
        }
        match provider::forced() {
            Ok(Some(forced)) => gaps.push(format!(
                "  {name}: {PROVIDER_VAR}={forced} rules the other ways out\n      to fix: unset {PROVIDER_VAR}"
            )),
            Ok(None) if matches!((&self.chosen, &self.native), (Ok(Source::Docker(_)), Answer::Serves(_))) => {
                gaps.push(format!(
                    "  {name} by native: the engine answers, so Docker is chosen\n      to fix: export {PROVIDER_VAR}=native"
                ));
            }
            _ => {}
        }
        if matches!(self.url, Answer::Unused) {
            gaps.push(format!(
                "  {name} by URL: no server of yours is named\n      to fix: export {}=<its address>",
                self.service.url_var
            ));
        }
        gaps
    }
}

/// Asks the server whose address is given, if one is given.
fn reach(service: &'static Service) -> Result<(), String> {
    match service.given() {
        Ok(Some(address)) => provider::reach(&address, provider::REACH_LIMIT),
        Ok(None) | Err(_) => Ok(()),
    }
}

fn url(service: &'static Service, reached: &Result<(), String>) -> Answer {
    let var = service.url_var;
    let cure = Some(format!("unset {var}, or name a server that answers"));
    match (service.given(), reached) {
        (Ok(None), _) => Answer::Unused,
        (Ok(Some(address)), Ok(())) => Answer::Serves(address.to_string()),
        (Ok(Some(address)), Err(why)) => {
            Answer::Cannot { why: format!("{var}={address}: {why}"), cure }
        }
        (Err(why), _) => Answer::Cannot { why: format!("{var}: {why}"), cure },
    }
}

fn docker(image: &Image, present: Result<Option<String>, String>) -> Answer {
    match present {
        Ok(Some(name)) => Answer::Serves(name),
        Ok(None) => Answer::Cannot {
            why: format!("the image {} is not there", images::wanted(image)),
            cure: Some(command("setup")),
        },
        Err(why) => Answer::Cannot { why, cure: Some(command("setup --install")) },
    }
}

fn native(
    service: &Service,
    programs: &Result<Vec<PathBuf>, String>,
    engine: &Result<(), String>,
) -> Answer {
    match programs {
        _ if service.native.is_empty() => Answer::Unused,
        // They come from one directory, and the last one is the server.
        Ok(programs) => Answer::Serves(
            programs.last().map_or_else(String::new, |server| server.display().to_string()),
        ),
        // `setup` fetches them where it can build no image.
        Err(why) => Answer::Cannot {
            why: why.clone(),
            cure: (service.fetched.is_some() && engine.is_err()).then(|| command("setup")),
        },
    }
}

fn show(rows: &[Row], answer: &Result<(), String>) {
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
    match answer {
        Ok(()) => say::out(format_args!("\nDocker answers at {}", provider::docker_host())),
        Err(why) => {
            let gap = Error::under(Heading::Docker, "Docker does not answer").cause(why);
            let gap = engine::cure(why).into_iter().fold(gap, Error::fix);
            say::out(format_args!("\n{gap}"));
        }
    }
    if let Err(error) = provider::forced() {
        say::out(error);
    }
    for gap in rows.iter().flat_map(Row::gaps) {
        say::out(gap);
    }
}

fn cell(answer: &Answer) -> String {
    match answer {
        Answer::Serves(_) => paint(GOOD, format_args!("{:8}", "yes")),
        Answer::Cannot { .. } | Answer::NoEngine => paint(BAD, format_args!("{:8}", "no")),
        Answer::Unused => paint(DIM, format_args!("{:8}", "-")),
    }
}

fn ask<T: Send + 'static>(probe: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(probe()).ok());
    told
}

fn answer<T>(probe: &Receiver<T>, until: Instant) -> Result<T, String> {
    let left = until.saturating_duration_since(Instant::now());
    probe.recv_timeout(left).map_err(|_| "it did not answer in time".into())
}
