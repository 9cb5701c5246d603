//! `setup`: provides what the tests on real servers need. What needs the administrator is only named, unless the user said `--install`.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use testenv::Error;
use testenv::images::Image;
use testenv::provider::{SERVICES, Service};

use crate::install::{self, Installer, find_program};
use crate::process::{Guard, no_scratch};
use crate::say::{self, BAD, GOOD, paint, quoted, short};
use crate::steps::step;
use crate::tasks::Course;
use crate::{engine, images};

/// Half a gigabyte over a slow line.
const PULL_LIMIT: Duration = Duration::from_mins(15);
/// A recipe fetches a small system and builds it; 30 to 60 s on two cores with a near mirror.
const BUILD_LIMIT: Duration = Duration::from_mins(20);
/// The engine is asked calmly here; `doctor` is in more of a hurry.
const INSPECT_LIMIT: Duration = Duration::from_secs(10);

/// What the tests are built with, and what the harness's own tests look around with; Debian's names. (The compiler's headers are only
/// recommended by its package.)
const TOOLS: [(&str, &[&str]); 4] = [
    ("cc", &["gcc", "libc6-dev"]),
    ("make", &["make"]),
    ("ps", &["procps"]),
    ("ss", &["iproute2"]),
];

/// Servers that the harness's own tests also run as processes of this machine, whatever serves the tasks.
const NATIVES: [(&str, &[&str]); 2] = [("postgres", &["postgresql"]), ("redis", &["redis-server"])];

/// The second runner that the harness promises to serve. The release is the one that `.config/nextest.toml` was written for.
const NEXTEST: &str = "cargo-nextest@0.9.151";
/// Building it, unoptimised, takes two minutes on two cores.
const NEXTEST_LIMIT: Duration = Duration::from_mins(20);

/// Fetches the programs of the service whose name follows.
const FETCH: &str = "run --quiet -p shared --features fetch --bin fetch-";
/// It is built first, in less than a minute on two cores, and then fetches 15 MB.
const FETCH_LIMIT: Duration = Duration::from_mins(15);

struct Setup<'a> {
    course: &'a Course,
    /// `None`: nothing may be installed.
    installer: Option<Installer>,
    /// How many things were done.
    done: usize,
    gaps: Vec<Error>,
}

/// Provides what is missing. The exit code is 0 when nothing is missing any more.
pub(crate) fn setup(course: &Course, install: bool) -> Result<ExitCode, Error> {
    let mut setup =
        Setup { course, installer: install.then(Installer::new), done: 0, gaps: Vec::new() };
    setup.tools()?;
    setup.nextest()?;
    let by_url =
        |service: &&Service| std::env::var(service.url_var).is_ok_and(|url| !url.is_empty());
    let (given, wanted): (Vec<&Service>, Vec<&Service>) =
        SERVICES.iter().copied().partition(by_url);
    for service in given {
        say::out(format_args!(
            "{}: {} names a server, so no image is needed",
            service.name, service.url_var
        ));
    }
    if !wanted.is_empty() && setup.engine()? {
        for service in wanted {
            setup.image(service.image)?;
        }
    } else if !wanted.is_empty() && engine::silence().is_some() {
        for service in wanted.into_iter().filter(|service| service.fetched) {
            setup.programs(service)?;
        }
    }
    for gap in &setup.gaps {
        say::out(format_args!("{} {gap}", paint(BAD, "missing:")));
    }
    if !setup.gaps.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    say::out(paint(
        GOOD,
        if setup.done == 0 {
            "nothing to do: everything is there"
        } else {
            "everything is there now"
        },
    ));
    Ok(ExitCode::SUCCESS)
}

impl Setup<'_> {
    fn tools(&mut self) -> Result<(), Error> {
        let natives = NATIVES.iter().filter(|(name, _)| {
            SERVICES.iter().any(|it| it.name == *name && it.native_programs().is_err())
        });
        let missing: Vec<&(&str, &[&str])> = TOOLS
            .iter()
            .filter(|(program, _)| find_program(program).is_none())
            .chain(natives)
            .collect();
        let programs: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
        let packages: Vec<&str> =
            missing.iter().flat_map(|(_, packages)| packages.iter().copied()).collect();
        self.install(&programs, &packages, "to build and run the tests").map(drop)
    }

    /// nextest has no package in any registry but cargo's, so it is built: without optimising, for it only starts processes.
    fn nextest(&mut self) -> Result<(), Error> {
        const QUICK: &str = "--no-default-features --features default-no-update";
        if install::find_cargo_program("cargo-nextest").is_some() {
            return Ok(());
        }
        let line = format!("cargo install --locked {NEXTEST} {QUICK}");
        if self.installer.is_none() {
            self.gaps.push(
                Error::new("cargo-nextest to run the harness's tests in the integration tier")
                    .fix(line)
                    .fix("cargo course setup --install"),
            );
            return Ok(());
        }
        let mut build = Command::new(crate::suite::cargo());
        build
            .args(line.split(' ').skip(1))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256");
        step("building cargo-nextest; two to four minutes, once", &mut build, NEXTEST_LIMIT)?
            .map_err(|words| Error::new("cannot build cargo-nextest").cause(words).fix(line))?;
        self.done += 1;
        Ok(())
    }

    /// Whether the packages are there now; else it is noted what is missing.
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
                    Error::new(format!("{} {what_for}", programs.join(", ")))
                        .fix(install::line(packages))
                        .fix("cargo course setup --install"),
                );
                Ok(false)
            }
        }
    }

    /// Whether the engine and its client are there now.
    fn engine(&mut self) -> Result<bool, Error> {
        if let Some(why) = engine::silence() {
            let Some(installer) = &mut self.installer else {
                let gap = Error::new("a Docker engine that answers").cause(&why);
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

    /// Without an engine, a service whose programs are an ordinary package can still be served.
    fn programs(&mut self, service: &Service) -> Result<(), Error> {
        if service.native_programs().is_ok() {
            return Ok(());
        }
        let name = service.name;
        let line = format!("{FETCH}{name}");
        let mut fetch = Command::new(crate::suite::cargo());
        fetch.args(line.split(' ')).current_dir(&self.course.root);
        let label = format!("{name}: fetching its programs, to serve it without Docker");
        match step(&label, &mut fetch, FETCH_LIMIT)? {
            Ok(()) => {
                say::out(format_args!("{name}: its programs are fetched, so it needs no Docker"));
                self.done += 1;
            }
            Err(words) => self.gaps.push(
                Error::new(format!("the programs of {name}, to serve it without Docker"))
                    .cause(words)
                    .fix(format!("cargo {line}")),
            ),
        }
        Ok(())
    }

    fn image(&mut self, image: &Image) -> Result<(), Error> {
        let cannot = |why: String| {
            Error::new(format!("cannot ask for the image of {}", image.service))
                .cause(why)
                .fix("docker version")
        };
        if let Some(name) = images::present(image, INSPECT_LIMIT).map_err(cannot)? {
            say::out(format_args!("{}: {name} is there", image.service));
            return Ok(());
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
            return Ok(());
        };
        if image.overridden().is_some() {
            let var = image.override_var();
            self.gaps.push(
                Error::new(format!("the image {wanted}, which {var} names"))
                    .cause(why)
                    .fix(format!("correct {var}, or `unset {var}`")),
            );
            return Ok(());
        }
        say::note(format_args!(
            "{}: no registry gives {wanted}, so its substitute is built from packages",
            image.service
        ));
        self.build(image, &why)
    }

    /// Builds the substitute: everything is fetched on the host, with the host's own settings, and built with no network.
    fn build(&mut self, image: &Image, why: &str) -> Result<(), Error> {
        let recipe = self.course.root.join("shared/images").join(image.service);
        let shown = short(&self.course.root, &recipe).to_string();
        if !recipe.is_dir() {
            let gap = Error::new(format!("the image {}", images::wanted(image)))
                .cause(why)
                .tried(format!("a recipe in {shown}: there is none"));
            self.gaps.push(
                gap.fix(format!("export {}=<an image that can be pulled>", image.override_var())),
            );
            return Ok(());
        }
        let needs = install::needs(&recipe)?;
        let missing = install::missing(&needs);
        let programs: Vec<&str> = missing.iter().map(|(program, _)| program.as_str()).collect();
        let packages: Vec<&str> = missing.iter().map(|(_, package)| package.as_str()).collect();
        if !self.install(
            &programs,
            &packages,
            &format!("to build the image of {}", image.service),
        )? {
            return Ok(());
        }

        let scratch =
            tempfile::Builder::new().prefix("course-image-").tempdir().map_err(no_scratch)?;
        let _guard = Guard::new(scratch.path())?; // half a gigabyte should not stay because of a Ctrl-C
        copy_all(&recipe, scratch.path())?;
        let failed = |what: &str, words: String| {
            Error::new(format!("{}: {what} failed", image.service))
                .cause(words)
                .fix(format!("see {}", quoted(&shown)))
        };
        let mut fetch = Command::new(scratch.path().join("fetch"));
        step(
            &format!("{}: fetching packages ({shown}/fetch)", image.service),
            fetch.current_dir(scratch.path()),
            BUILD_LIMIT,
        )?
        .map_err(|words| failed("fetching", words))?;
        let local = image.local();
        let mut build = Command::new("docker");
        // The classic builder: the engine of Debian has no other.
        build
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "--network", "none", "--tag", &local])
            .arg(scratch.path());
        step(&format!("{}: building {local}", image.service), &mut build, BUILD_LIMIT)?
            .map_err(|words| failed("building", words))?;
        say::out(format_args!("{}: {local} is built", image.service));
        self.done += 1;
        Ok(())
    }
}

/// Copies a folder with what is in it. Rights are kept: `fetch` must stay executable.
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
        Error::new(format!("cannot copy {} to {}", from.display(), to.display())).cause(e)
    })
}
