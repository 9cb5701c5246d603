//! Images and programs that are made from a recipe, a folder of `shared/images`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Setup;
use crate::images::Image;
use crate::programs::cache;
use crate::service::Service;
use crate::tools::process::{Guard, no_scratch};
use crate::tools::say::{self, quoted, short};
use crate::tools::steps::step;
use crate::tools::{images, install};
use crate::{Error, Heading};

/// A recipe fetches a small system and builds it; 30 to 60 s on two cores with a near mirror.
const BUILD_LIMIT: Duration = Duration::from_mins(20);

/// What recipes share that build with Go.
const GO: &str = "go.sh";

/// A copy of a recipe, with what it has fetched.
struct Fetched {
    scratch: tempfile::TempDir,
    /// Half a gigabyte should not stay because of a Ctrl-C.
    _guard: Guard,
}

impl Setup {
    /// Builds the substitute. Everything is fetched on the host with the host's own settings, and
    /// the build has no network.
    pub(super) fn build(&mut self, image: &Image, why: &str) -> Result<(), Error> {
        if !self.recipes.join(image.service).is_dir() {
            let gap = Error::under(Heading::Setup, format!("the image {}", images::wanted(image)))
                .cause(why)
                .tried(format!("a recipe in {}: there is none", self.shown(image.service)));
            self.gaps.push(
                gap.fix(format!("export {}=<an image that can be pulled>", image.override_var())),
            );
            return Ok(());
        }
        let what_for = format!("to build the image of {}", image.service);
        let Some(fetched) = self.fetch_by_recipe(image.service, &what_for)? else { return Ok(()) };
        let local = image.local();
        let mut build = Command::new("docker");
        // The classic builder: the engine of Debian has no other.
        build
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "--network", "none", "--tag", &local])
            .arg(fetched.scratch.path());
        step(&format!("{}: building {local}", image.service), &mut build, BUILD_LIMIT)?
            .map_err(|words| self.failed(image.service, "building", words))?;
        say::out(format_args!("{}: {local} is built", image.service));
        self.done += 1;
        self.keep(image, &local)
    }

    /// Makes the programs of a service, and puts them where the native way looks for them.
    pub(super) fn make(&mut self, service: &Service) -> Result<(), Error> {
        let name = service.name;
        if !self.recipes.join(name).is_dir() {
            let gap = Error::under(
                Heading::Setup,
                format!("the programs of {name}, to serve it without Docker"),
            )
            .tried(format!("a recipe in {}: there is none", self.shown(name)));
            self.gaps.push(gap.fix(format!("put {} into the PATH", service.native.join(", "))));
            return Ok(());
        }
        let what_for = format!("to build the programs of {name}");
        let Some(fetched) = self.fetch_by_recipe(name, &what_for)? else { return Ok(()) };
        let version = cache().join(name).join(service.image.local_tag);
        let kept = || -> std::io::Result<()> {
            let bin = version.join("bin");
            std::fs::create_dir_all(&bin)?;
            for program in service.native {
                // Beside its place first: a run that looks there finds a whole program or none.
                let scratch = bin.join(format!(".{program}-{}", std::process::id()));
                std::fs::copy(fetched.scratch.path().join("bin").join(program), &scratch)?;
                std::fs::rename(scratch, bin.join(program))?;
            }
            Ok(())
        };
        kept().map_err(|cause| {
            Error::under(
                Heading::Setup,
                format!("cannot keep the programs of {name} in {}", version.display()),
            )
            .cause(cause)
            .fix(format!("export {}=<a directory of yours>", crate::programs::CACHE_VAR))
        })?;
        say::out(format_args!("{name}: its programs are built, so it needs no Docker"));
        self.done += 1;
        Ok(())
    }

    /// Fetches in a copy of the recipe. `None` if a program is missing that the recipe needs.
    fn fetch_by_recipe(&mut self, service: &str, what_for: &str) -> Result<Option<Fetched>, Error> {
        let recipe = self.recipes.join(service);
        let needs = install::needs(&recipe)?;
        let missing = install::missing(&needs);
        let programs: Vec<&str> = missing.iter().map(|(program, _)| program.as_str()).collect();
        let packages: Vec<&str> = missing.iter().map(|(_, package)| package.as_str()).collect();
        if !self.install(&programs, &packages, what_for)? {
            return Ok(None);
        }
        let scratch =
            tempfile::Builder::new().prefix("image-of-testenv-").tempdir().map_err(no_scratch)?;
        let guard = Guard::new(scratch.path())?;
        copy_all(&recipe, scratch.path())?;
        let shared = self.recipes.join(GO);
        if shared.is_file() {
            std::fs::copy(&shared, scratch.path().join(GO)).map_err(no_scratch)?;
        }
        let mut fetch = Command::new(scratch.path().join("fetch"));
        step(
            &format!("{service}: fetching packages ({}/fetch)", self.shown(service)),
            fetch.current_dir(scratch.path()),
            BUILD_LIMIT,
        )?
        .map_err(|words| self.failed(service, "fetching", words))?;
        Ok(Some(Fetched { scratch, _guard: guard }))
    }

    fn failed(&self, service: &str, what: &str, words: String) -> Error {
        Error::under(Heading::Setup, format!("{service}: {what} failed"))
            .cause(words)
            .fix(format!("see {}", quoted(self.shown(service))))
    }

    /// The recipe's folder, as seen from here.
    fn shown(&self, service: &str) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        short(&here, &self.recipes.join(service)).to_string()
    }
}

/// Copies a folder with its contents and their rights: `fetch` must stay executable.
fn copy_all(from: &Path, to: &Path) -> Result<(), Error> {
    let copied = || -> std::io::Result<()> {
        let mut folders = vec![from.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                let place = to.join(path.strip_prefix(from).expect("it was found below it"));
                if path.is_dir() {
                    std::fs::create_dir_all(place)?;
                    folders.push(path);
                } else {
                    std::fs::copy(&path, place)?;
                }
            }
        }
        Ok(())
    };
    copied().map_err(|e| {
        Error::under(Heading::Setup, format!("cannot copy {} to {}", from.display(), to.display()))
            .cause(e)
    })
}
