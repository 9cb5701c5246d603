//! Where a server comes from: a URL, Docker, a native program, else an error with the cure.
//!
//! Invariant: the choice is made within a second, whatever hangs, and is said in one line on standard error.

mod engine;
mod reach;

use std::env;
use std::io::Write;
use std::path::PathBuf;

use crate::service::Service;
pub(crate) use engine::docker_is_local;
pub(crate) use engine::{cure_of_a_given_one, host_of, serve_ssh, tell_testcontainers};
pub use engine::{docker_host, ping_docker};
pub use reach::REACH_LIMIT;
pub(crate) use reach::first_byte;
pub(crate) use reach::reach;

use crate::address::Address;
use crate::{Error, Heading};
use crate::{programs, project};

/// Forces a way: `docker` or `native`.
pub const PROVIDER_VAR: &str = "TESTENV_PROVIDER";

/// The way that was chosen.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// Somebody else's server at this address; what runs there is only visited.
    Url(Address),
    /// The engine at this address.
    Docker(String),
    /// These programs, in the order of [`Service::native`], and why no engine serves.
    Native(Vec<PathBuf>, String),
}

impl Service {
    /// Chooses the way for this run, in the order of the module's first line.
    ///
    /// # Errors
    ///
    /// When the URL does not answer, [`PROVIDER_VAR`] has no meaning, the project's `Cargo.toml` says
    /// what the harness does not know, or no way is open.
    pub fn choose(&'static self) -> Result<Source, Error> {
        self.choose_by(
            |address| reach(address, REACH_LIMIT),
            || ping_docker(REACH_LIMIT),
            || self.native_programs(),
        )
    }

    /// Chooses like [`Service::choose`], from these answers; only a question that decides is asked.
    pub(crate) fn choose_by(
        &'static self,
        reach: impl FnOnce(&Address) -> Result<(), String>,
        docker: impl FnOnce() -> Result<(), String>,
        native: impl FnOnce() -> Result<Vec<PathBuf>, String>,
    ) -> Result<Source, Error> {
        // A mistake there is said wherever the server comes from.
        let image = project::of(self.name)?.image;
        let missing = || {
            Error::under(
                Heading::Server,
                format!("no {} server for the integration tier", self.name),
            )
        };
        let var = self.url_var;
        let correct =
            format!("correct {var}, or `unset {var}` to have a server started for the run");
        match self.given() {
            Ok(None) => {}
            Ok(Some(address)) => {
                return match reach(&address) {
                    Ok(()) => Ok(Source::Url(address)),
                    Err(why) => {
                        Err(missing().tried(format!("{var}={address}")).cause(why).fix(correct))
                    }
                };
            }
            Err(why) => {
                let example = format!("export {var}={}", self.dialect.example);
                return Err(missing().tried(var).cause(why).fix(correct).fix(example));
            }
        }
        let forced = forced()?;
        let mut error = missing().tried(format!("{}: not set", self.url_var));
        let (no_engine, engines_cure) = if forced.as_deref() == Some("native") {
            error = error.tried(format!("Docker: {PROVIDER_VAR}=native rules it out"));
            (format!("{PROVIDER_VAR}=native"), None)
        } else {
            match docker() {
                Ok(()) => return Ok(Source::Docker(docker_host())),
                Err(why) => {
                    error = error.tried(format!("Docker: {why}"));
                    (format!("no Docker engine: {why}"), cure_of_a_given_one())
                }
            }
        };
        if forced.as_deref() == Some("docker") {
            error = error.tried(format!("native: {PROVIDER_VAR}=docker rules it out"));
        } else if let Some(image) = image {
            let place = image.place;
            error = error.tried(format!("native: {place} asks for an image"));
            error = error.fix(match forced {
                Some(_) => format!("unset {PROVIDER_VAR}, or remove {place}"),
                None => format!("remove {place}, to have the server of this machine's programs"),
            });
        } else {
            match native() {
                Ok(programs) => return Ok(Source::Native(programs, no_engine)),
                Err(why) => error = error.tried(format!("native: {why}")),
            }
        }
        if self.fetched.is_some() {
            error = error.fix(crate::cure::command("setup"));
        }
        Err(error
            .fix(engines_cure.unwrap_or_else(|| crate::cure::command("setup --install")))
            .fix(format!("export {}=<address of a server of yours>", self.url_var)))
    }

    /// Reads an address of such a server, with the service's port where it names none.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text, and nothing of it that could be a secret.
    ///
    /// ```
    /// use testenv::tools::KAFKA;
    ///
    /// assert_eq!(KAFKA.address("one, [::1]:9093").unwrap().whole(), "one:9092,[::1]:9093");
    /// ```
    pub fn address(&'static self, text: &str) -> Result<Address, String> {
        Address::read(&self.dialect, text)
    }

    /// The address of the server that somebody else runs, where [`Service::url_var`] holds one.
    ///
    /// # Errors
    ///
    /// As [`Service::address`].
    pub fn given(&'static self) -> Result<Option<Address>, String> {
        match env::var(self.url_var) {
            Ok(text) if !text.trim().is_empty() => self.address(&text).map(Some),
            Err(env::VarError::NotUnicode(_)) => Err("its value is not UTF-8".into()),
            _ => Ok(None),
        }
    }

    /// The programs of the native way.
    ///
    /// # Errors
    ///
    /// Says which one is missing, or that there is no native way.
    pub fn native_programs(&self) -> Result<Vec<PathBuf>, String> {
        if self.native.is_empty() {
            return Err(format!("{} has no native way", self.name));
        }
        programs::find(self.name, self.native, self.places)
    }
}

/// The way that [`PROVIDER_VAR`] forces.
///
/// # Errors
///
/// When there is no such way.
pub(crate) fn forced() -> Result<Option<String>, Error> {
    let forced = set(PROVIDER_VAR);
    if let Some(other) = forced.as_deref().filter(|way| !["docker", "native"].contains(way)) {
        return Err(Error::under(
            Heading::Server,
            format!("{PROVIDER_VAR}={other} is no way to a server"),
        )
        .fix(format!("export {PROVIDER_VAR}=docker, or =native, or unset it")));
    }
    Ok(forced)
}

/// Says in one line, past libtest's capture, who serves and why.
pub fn announce(service: &str, line: &str) {
    // `eprintln!` would be captured with the test's output; whoever closed standard error does not want the line.
    writeln!(std::io::stderr(), "testenv: {service}: {line}").ok();
}

fn set(var: &str) -> Option<String> {
    env::var(var).ok().filter(|value| !value.is_empty())
}
