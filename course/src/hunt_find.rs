//! Finds the one test that a word names: builds the tests once, and asks each program for its own.

use std::path::Path;

use testenv::Error;

use crate::faults::Tier;
use crate::libtest::listed;
use crate::say::{self, Ongoing};
use crate::suite::{self, Artifact, Bench, Refused, Suite};
use crate::tasks::Course;

/// What is looked for, and where.
#[derive(clap::Args)]
pub(crate) struct Wanted {
    /// The name of the test, or its end: `a_sale_is_counted`, `shop::a_sale_is_counted`
    test: String,
    /// Looks only in this package. Otherwise all tests of the workspace are built
    #[arg(short, long)]
    package: Option<String>,
    /// Looks only in this file under tests/
    #[arg(long = "test", value_name = "FILE")]
    target: Option<String>,
    /// Builds with these features
    #[arg(long)]
    features: Option<String>,
}

/// A test program, and the arguments with which `cargo test` runs it and no other.
pub(crate) struct Program {
    pub(crate) suite: Suite,
    pub(crate) typed: String,
}

/// The test that was found.
pub(crate) struct Found {
    pub(crate) suite: Suite,
    /// `-p task07-kafka --test exercise`
    pub(crate) typed: String,
    /// Its full name.
    pub(crate) test: String,
    /// The other tests of its program.
    pub(crate) neighbours: Vec<String>,
}

/// So few candidates can be read; more are counted.
const CANDIDATES: usize = 10;

/// Builds the test programs in which the test may be.
pub(crate) fn build(
    course: &Course,
    bench: &Bench,
    wanted: &Wanted,
) -> Result<Result<Vec<Program>, Refused>, Error> {
    let mut arguments = match &wanted.package {
        Some(package) => vec!["--package", package],
        None => vec!["--workspace"],
    };
    let options = [("--test", &wanted.target), ("--features", &wanted.features)];
    for (option, value) in options {
        arguments.extend(value.iter().flat_map(|value| [option, value]));
    }
    let _going_on = Ongoing::new("building the tests");
    let artifacts = match suite::artifacts(&course.root, &arguments, &bench.guard)? {
        Ok(artifacts) => artifacts,
        Err(refused) => return Ok(Err(refused)),
    };
    let features = wanted.features.as_deref();
    artifacts
        .into_iter()
        .filter(|artifact| artifact.profile.test)
        .filter_map(|artifact| program(course, artifact, features).transpose())
        .collect::<Result<_, Error>>()
        .map(Ok)
}

/// The test program of an artifact, if it is one.
pub(crate) fn program(
    course: &Course,
    artifact: Artifact,
    features: Option<&str>,
) -> Result<Option<Program>, Error> {
    let (Some(program), Some(dir)) = (artifact.executable, artifact.manifest_path.parent()) else {
        return Ok(None);
    };
    let package = package_name(&artifact.manifest_path)?;
    let name = &artifact.target.name;
    let target = match artifact.target.kind.first().map_or("", String::as_str) {
        kind @ ("test" | "bin" | "example" | "bench") => format!("--{kind} {}", say::quoted(name)),
        _ => "--lib".into(),
    };
    let features = features.map(|named| format!(" --features {}", say::quoted(named)));
    let typed = format!("-p {package}{} {target}", features.unwrap_or_default());
    let suite = Suite {
        program,
        source: artifact.target.src_path,
        compiled_in: course.root.clone(),
        dir: dir.to_owned(),
        package,
        tier: Tier::Plain, // the features are in `typed`
    };
    Ok(Some(Program { suite, typed }))
}

/// Cargo's messages name a package only in an opaque id.
fn package_name(manifest: &Path) -> Result<String, Error> {
    let unreadable = || Error::new(format!("{} cannot be read", manifest.display()));
    let text = std::fs::read_to_string(manifest).map_err(|e| unreadable().cause(e))?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| unreadable().cause(e.message()))?;
    let name = table.get("package").and_then(|package| package.get("name")?.as_str());
    name.map(str::to_owned).ok_or_else(|| unreadable().cause("its package has no name"))
}

/// Finds the test in the programs.
///
/// # Errors
///
/// If no test has this name, with the nearest; if several have it, with all of them.
pub(crate) fn find(
    course: &Course,
    bench: &Bench,
    programs: Vec<Program>,
    wanted: &Wanted,
) -> Result<Found, Error> {
    let mut all = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        let run = bench.run(&program.suite, &["--list", "--format", "terse"], &[])?;
        all.extend(listed(&run.stdout).into_iter().map(|test| (number, test)));
    }
    let names: Vec<&str> = all.iter().map(|(_, test)| test.as_str()).collect();
    let chosen = match choose(&names, &wanted.test)[..] {
        [one] => one,
        [] => return Err(unknown(course, wanted, &names)),
        ref several => {
            let candidate =
                |at: &usize| format!("{} in {}", all[*at].1, programs[all[*at].0].typed);
            return Err(ambiguous(wanted, several.iter().map(candidate).collect()));
        }
    };
    let (number, test) = all[chosen].clone();
    let neighbours =
        all.into_iter().filter(|(at, name)| *at == number && *name != test).map(|(_, name)| name);
    let neighbours = neighbours.collect();
    let Program { suite, typed } =
        programs.into_iter().nth(number).expect("its test was listed above");
    Ok(Found { suite, typed, test, neighbours })
}

/// The places of the tests with this name; if there is none, of those whose path ends with it.
fn choose(names: &[&str], word: &str) -> Vec<usize> {
    let places = |is: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..names.len()).filter(|at| is(names[*at])).collect()
    };
    let exact = places(&|name| name == word);
    let ending = format!("::{word}");
    if exact.is_empty() { places(&|name| name.ends_with(&ending)) } else { exact }
}

fn unknown(course: &Course, wanted: &Wanted, names: &[&str]) -> Error {
    let place = match (&wanted.package, &wanted.target) {
        (Some(package), Some(target)) => format!("tests/{target}.rs of {package}"),
        (Some(package), None) => package.clone(),
        (None, _) => course.root.display().to_string(),
    };
    let error = Error::new(format!("there is no test `{}` in {place}", wanted.test));
    let near = |name: &str| {
        let last = name.rsplit("::").next().unwrap_or(name);
        strsim::normalized_damerau_levenshtein(name, &wanted.test)
            .max(strsim::normalized_damerau_levenshtein(last, &wanted.test))
    };
    match names.iter().max_by(|a, b| near(a).total_cmp(&near(b))) {
        Some(nearest) => error
            .cause(format!("the nearest is {nearest}"))
            .fix(format!("cargo course hunt {nearest}")),
        None => error
            .cause("no test is compiled there")
            .fix("name the feature of the tests, for example --features integration"),
    }
}

fn ambiguous(wanted: &Wanted, mut candidates: Vec<String>) -> Error {
    let more = candidates.len().saturating_sub(CANDIDATES);
    candidates.truncate(CANDIDATES);
    if more > 0 {
        candidates.push(format!("{more} more"));
    }
    Error::new(format!("several tests are named `{}`", wanted.test))
        .cause(candidates.join(", "))
        .fix("say more of the name, or where it is: -p PACKAGE, --test FILE")
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn a_name_means_the_exact_one_or_the_ends_of_paths() {
        let names = ["sum", "shop::sum", "bank::a_sum", "bank::sum", "bank::rest"];

        assert_eq!(choose(&names, "sum"), [0]);
        assert_eq!(choose(&names[1..], "sum"), [0, 2]);
        assert_eq!(choose(&names, "bank::sum"), [3]);
        assert_eq!(choose(&names, "rest"), [4]);
        assert!(choose(&names, "um").is_empty());
    }
}
