//! `setup`: provides what the tests on real servers need. What needs the administrator is only
//! named, unless the user said `--install`.

mod archive;
mod recipe;
mod scripted;

pub use scripted::Scripted;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::install::{self, Installer, find_program};
use super::process::cargo;
use super::say::{self, BAD, GOOD, paint, quoted};
use super::steps::step;
use super::{engine, images};
use crate::cure::command;
use crate::images::Image;
use crate::service::{Fetched, SERVICES, Service};
use crate::{Error, Heading, project};

/// The limit for half a gigabyte over a slow line.
const PULL_LIMIT: Duration = Duration::from_mins(15);
/// Here the engine has more time for an answer than in `doctor`.
const INSPECT_LIMIT: Duration = Duration::from_secs(10);
/// A program of the size of cargo-nextest takes two to four minutes on two cores, unoptimised.
const CARGO_LIMIT: Duration = Duration::from_mins(20);
/// The program that fetches is built first, in less than a minute on two cores, and then fetches 15 MB.
const FETCH_LIMIT: Duration = Duration::from_mins(15);

/// This crate's folder. It has the recipes of the images, and the program that fetches PostgreSQL
/// is built in it.
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// A program, and the Debian packages that contain it.
pub type Tool = (&'static str, &'static [&'static str]);

/// The programs that build the tests. (The compiler's package only recommends its headers.)
pub const BUILD_TOOLS: [Tool; 2] = [("cc", &["gcc", "libc6-dev"]), ("make", &["make"])];

/// A program that only cargo's registry has, so it is built.
#[derive(Debug)]
pub struct CargoProgram {
    /// The program.
    pub name: &'static str,
    /// The arguments of `cargo install`.
    pub install: &'static str,
    /// What the program is needed for: "to run …".
    pub purpose: &'static str,
    /// How long building it takes, in words.
    pub takes: &'static str,
    /// The arguments of this program that build it.
    pub cure: &'static str,
}

/// Provides what is missing, step by step. [`Setup::finish`] says what is still missing.
pub struct Setup {
    recipes: PathBuf,
    /// The folder of images as files. `None` if none are kept.
    archive: Option<PathBuf>,
    /// `None` if nothing may be installed.
    installer: Option<Installer>,
    /// How many things were done.
    done: usize,
    gaps: Vec<Error>,
}

impl Setup {
    /// Starts a set-up that may install packages and start the engine, or may only name them.
    #[must_use]
    pub fn new(may_install: bool) -> Setup {
        Setup {
            recipes: Path::new(FOLDER).join("images"),
            archive: None,
            installer: may_install.then(Installer::new),
            done: 0,
            gaps: Vec::new(),
        }
    }

    /// Takes the recipes of images from this folder.
    #[must_use]
    pub fn recipes(self, folder: PathBuf) -> Setup {
        Setup { recipes: folder, ..self }
    }

    /// Provides those of these programs that are missing, and with `natives` the programs of all
    /// services that run without Docker.
    ///
    /// # Errors
    ///
    /// When an installation fails.
    pub fn tools(&mut self, tools: &[Tool], natives: bool, purpose: &str) -> Result<(), Error> {
        let natives: Vec<&Service> = SERVICES
            .iter()
            .copied()
            .filter(|service| natives && !service.native.is_empty())
            .filter(|service| service.native_programs().is_err())
            .collect();
        let (made, packaged): (Vec<&Service>, Vec<&Service>) =
            natives.into_iter().partition(|service| service.packages.is_empty());
        let packaged = packaged.iter().map(|service| (service.name, service.packages));
        let missing: Vec<Tool> = tools
            .iter()
            .copied()
            .filter(|(program, _)| find_program(program).is_none())
            .chain(packaged)
            .collect();
        let programs: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
        let packages: Vec<&str> =
            missing.iter().flat_map(|(_, packages)| packages.iter().copied()).collect();
        self.install(&programs, &packages, purpose)?;
        made.into_iter().try_for_each(|service| self.programs(service))
    }

    /// Builds a program that is missing. It is built without optimisation, because these programs
    /// only start other processes.
    ///
    /// # Errors
    ///
    /// When it cannot be built.
    pub fn cargo_program(&mut self, program: &CargoProgram) -> Result<(), Error> {
        let CargoProgram { name, install, purpose, takes, cure } = program;
        if install::find_cargo_program(name).is_some() {
            return Ok(());
        }
        let line = format!("cargo install {install}");
        if self.installer.is_none() {
            let gap = Error::under(Heading::Setup, format!("the program {name} {purpose}"));
            self.gaps.push(gap.fix(line).fix(command(cure)));
            return Ok(());
        }
        let mut build = Command::new(cargo());
        build
            .arg("install")
            .args(install.split(' '))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256");
        step(&format!("building {name}; {takes}, once"), &mut build, CARGO_LIMIT)?.map_err(
            |words| {
                Error::under(Heading::Setup, format!("cannot build {name}")).cause(words).fix(line)
            },
        )?;
        self.done += 1;
        Ok(())
    }

    /// Provides an image for each service. Without an engine, it provides the programs of each
    /// service that has some. It skips a service whose address is given.
    ///
    /// # Errors
    ///
    /// When an installation or a build fails.
    pub fn servers(&mut self) -> Result<(), Error> {
        let given =
            |service: &&Service| std::env::var(service.url_var).is_ok_and(|url| !url.is_empty());
        let (given, wanted): (Vec<&Service>, Vec<&Service>) =
            SERVICES.iter().copied().partition(given);
        for service in given {
            say::out(format_args!(
                "{}: {} names a server, so no image is needed",
                service.name, service.url_var
            ));
        }
        if !wanted.is_empty() && self.engine()? {
            for service in wanted {
                self.image(service.image)?;
            }
        } else if !wanted.is_empty() && engine::silence().is_some() {
            for service in wanted.into_iter().filter(|service| service.fetched.is_some()) {
                self.programs(service)?;
            }
        }
        Ok(())
    }

    /// Whether something is still missing.
    #[must_use]
    pub fn lacks_something(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// Says what is missing, with the cures. The exit code is 0 when nothing is missing any more.
    #[must_use]
    pub fn finish(self) -> ExitCode {
        for gap in &self.gaps {
            say::out(format_args!("{} {gap}", paint(BAD, "missing:")));
        }
        if !self.gaps.is_empty() {
            return ExitCode::FAILURE;
        }
        say::out(paint(
            GOOD,
            if self.done == 0 {
                "nothing to do: everything is there"
            } else {
                "everything is there now"
            },
        ));
        ExitCode::SUCCESS
    }

    /// Whether the packages are installed now. If not, notes what is missing.
    fn install(
        &mut self,
        programs: &[&str],
        packages: &[&str],
        what_for: &str,
    ) -> Result<bool, Error> {
        if packages.is_empty() {
            return Ok(true);
        }
        match &mut self.installer {
            Some(installer) => {
                installer.install(packages)?;
                self.done += 1;
                Ok(true)
            }
            None => {
                self.gaps.push(
                    Error::under(
                        Heading::Setup,
                        format!("the programs {} {what_for}", programs.join(", ")),
                    )
                    .fix(install::line(packages))
                    .fix(command("setup --install")),
                );
                Ok(false)
            }
        }
    }

    /// Whether the engine and its client are available now.
    fn engine(&mut self) -> Result<bool, Error> {
        if let Some(why) = engine::silence() {
            let Some(installer) = &mut self.installer else {
                let gap = Error::under(Heading::Setup, "a Docker engine that answers").cause(&why);
                self.gaps.push(engine::cure(&why).into_iter().fold(gap, Error::fix));
                return Ok(false);
            };
            engine::provide(&why, installer)?;
            self.done += 1;
        }
        if find_program("docker").is_some() {
            return Ok(true);
        }
        match &mut self.installer {
            Some(installer) => {
                engine::provide_client(installer)?;
                self.done += 1;
                Ok(true)
            }
            None => self.install(&["docker"], &["docker.io"], "to talk to the engine"),
        }
    }

    /// Provides the programs of a service without an engine and without an administrator.
    fn programs(&mut self, service: &Service) -> Result<(), Error> {
        match service.fetched {
            _ if service.native_programs().is_ok() => Ok(()),
            None => Ok(()),
            Some(Fetched::ByProgram) => self.fetch(service),
            Some(Fetched::ByRecipe) => self.make(service),
        }
    }

    fn fetch(&mut self, service: &Service) -> Result<(), Error> {
        let name = service.name;
        let manifest = format!("{FOLDER}/Cargo.toml");
        let program = format!("fetch-{name}");
        let arguments =
            ["run", "--quiet", "--features", "fetch", "--bin", &program, "--manifest-path"];
        let mut fetch = Command::new(cargo());
        fetch.args(arguments).arg(&manifest);
        let label = format!("{name}: fetching its programs, to serve it without Docker");
        match step(&label, &mut fetch, FETCH_LIMIT)? {
            Ok(()) => {
                say::out(format_args!("{name}: its programs are fetched, so it needs no Docker"));
                self.done += 1;
            }
            Err(words) => self.gaps.push(
                Error::under(
                    Heading::Setup,
                    format!("the programs of {name}, to serve it without Docker"),
                )
                .cause(words)
                .fix(format!("cargo {} {}", arguments.join(" "), quoted(manifest))),
            ),
        }
        Ok(())
    }

    fn image(&mut self, image: &Image) -> Result<(), Error> {
        // Another image than the one that is asked for would be no help.
        project::of(image.service)?;
        let cannot = |why: String| {
            Error::under(Heading::Setup, format!("cannot look for the image of {}", image.service))
                .cause(why)
                .fix("docker version")
        };
        let present = || images::present(image, INSPECT_LIMIT).map_err(cannot);
        let mut found = present()?;
        if found.is_none() && self.archive.is_some() {
            self.load(image)?;
            found = present()?;
        }
        if let Some(name) = found {
            say::out(format_args!("{}: {name} is there", image.service));
            return self.keep_if_missing(image, &name);
        }
        let wanted = images::wanted(image);
        let pulled = step(
            &format!("{}: pulling {wanted}", image.service),
            Command::new("docker").args(["pull", "--quiet", &wanted]),
            PULL_LIMIT,
        )?;
        let Err(why) = pulled else {
            say::out(format_args!("{}: {wanted} is pulled", image.service));
            self.done += 1;
            return self.keep(image, &wanted);
        };
        if let Some(named) = project::image_for(image) {
            let place = &named.place;
            self.gaps.push(
                Error::under(Heading::Setup, format!("the image {wanted}, which {place} names"))
                    .cause(why)
                    .fix(named.cure),
            );
            return Ok(());
        }
        say::note(format_args!(
            "{}: no registry gives {wanted}, so its substitute is built from packages",
            image.service
        ));
        self.build(image, &why)
    }
}
