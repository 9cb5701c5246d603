//! `setup`: provides what the harness provides, and what else the course needs.

use std::path::PathBuf;
use std::process::ExitCode;

use testenv::Error;
use testenv::tools::{BUILD_TOOLS, CargoProgram, Setup, Tool};

use crate::tasks::Course;

/// Programs with which the harness's own tests inspect the machine, with their Debian packages.
const TOOLS: [Tool; 2] = [("ps", &["procps"]), ("ss", &["iproute2"])];

/// cargo-nextest is the second runner that the harness promises to support. `.config/nextest.toml`
/// was written for this release.
const NEXTEST: CargoProgram = CargoProgram {
    name: "cargo-nextest",
    install: "--locked cargo-nextest@0.9.151 --no-default-features --features default-no-update",
    purpose: "to run the harness's tests in the integration tier",
    takes: "two to four minutes",
    cure: "setup --install",
};

/// Provides what is missing. The exit code is 0 when nothing is missing afterwards.
pub(crate) fn setup(
    course: &Course,
    install: bool,
    images: Option<PathBuf>,
) -> Result<ExitCode, Error> {
    let recipes = course.root.join("shared/images");
    let mut setup = Setup::new(install).recipes(recipes).archive(images);
    // The harness's own tests also run native servers, even if something else serves the tasks.
    setup.tools(&[BUILD_TOOLS, TOOLS].concat(), true, "to build and run the tests")?;
    setup.cargo_program(&NEXTEST)?;
    setup.servers()?;
    Ok(setup.finish())
}
