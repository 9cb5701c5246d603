//! Grades the piece that a learner builds beside the tests: the checks of the finished suite, made on
//! the learner's `Mine`.
//!
//! Invariant: a promise that the load could have broken is told as broken only after it was seen
//! broken alone.

use testenv::Error;

use crate::faults::{Faults, Promise};
use crate::grade::PARALLEL;
use crate::lanes::{Company, joined};
use crate::libtest::{Report, failed};
use crate::process::Run;
use crate::suite::{Bench, Suite};
use crate::tasks::Task;

/// The test target with the checks. It is built beside the suite, and `cargo test` leaves it out.
pub(crate) const MINE: &str = "mine";

/// The words of `.course/verdicts`.
pub(crate) const KEPT: &str = "kept";
pub(crate) const BROKEN: &str = "broken";

/// Why all promises are broken if the checks do not compile.
const REFUSED: &str = "there is no `Mine` that tests/mine.rs compiles with: \
    it is a `pub struct Mine` that implements the trait of the README";

/// The command that shows whether a promise is kept.
pub(crate) fn again(task: &Task, faults: &Faults, promise: &Promise) -> String {
    let (name, tier) = (&task.name, faults.tier.typed());
    format!("cargo test -p {name}{tier} --test {MINE} -- --exact {}", promise.test)
}

/// For each promise why it is broken. `None` is a promise that is kept.
type Broken = Vec<Option<String>>;

/// Tries all promises while `grade` grades the suite, and the broken ones once more when it has.
pub(crate) fn try_beside<T>(
    mine: Option<&Suite>,
    bench: &Bench,
    promises: &[Promise],
    grade: impl FnOnce() -> Result<T, Error>,
) -> Result<(T, Broken), Error> {
    std::thread::scope(|scope| {
        let tried = scope.spawn(|| try_once(mine, bench, promises));
        let grade = grade()?;
        let tried = try_again(mine, bench, promises, joined(tried)?, Company::Nobody)?;
        Ok((grade, tried))
    })
}

/// Tries all promises, and the broken ones once more, beside whatever else runs.
pub(crate) fn try_all(
    mine: Option<&Suite>,
    bench: &Bench,
    promises: &[Promise],
) -> Result<Broken, Error> {
    let tried = try_once(mine, bench, promises)?;
    try_again(mine, bench, promises, tried, Company::Others)
}

/// Tries all promises. Without a program, all are broken.
fn try_once(mine: Option<&Suite>, bench: &Bench, promises: &[Promise]) -> Result<Broken, Error> {
    let Some(suite) = mine else {
        return Ok(promises.iter().map(|_| Some(REFUSED.to_owned())).collect());
    };
    let tests: Vec<&str> = promises.iter().map(|promise| promise.test.as_str()).collect();
    let run = run(suite, bench, &tests, Company::Others)?;
    Ok(tests.iter().map(|test| broken(&run, test, bench)).collect())
}

/// Tries the broken promises again, in one process. If the process ended early, one of them has ended
/// the others: then each has a process of its own.
fn try_again(
    mine: Option<&Suite>,
    bench: &Bench,
    promises: &[Promise],
    mut tried: Broken,
    company: Company,
) -> Result<Broken, Error> {
    let Some(suite) = mine else { return Ok(tried) };
    let open = promises.iter().zip(&mut tried).filter(|(_, why)| why.is_some());
    let open: Vec<_> = open.map(|(promise, why)| (promise.test.as_str(), why)).collect();
    if open.is_empty() {
        return Ok(tried);
    }
    let tests: Vec<&str> = open.iter().map(|(test, _)| *test).collect();
    let all = run(suite, bench, &tests, company)?;
    let is_whole = Report::read(&all.stdout).summary.is_some();
    for (test, why) in open {
        *why = if is_whole {
            broken(&all, test, bench)
        } else {
            broken(&run(suite, bench, &[test], company)?, test, bench)
        };
    }
    Ok(tried)
}

fn run(suite: &Suite, bench: &Bench, tests: &[&str], company: Company) -> Result<Run, Error> {
    let arguments = [&[PARALLEL, "--exact"], tests].concat();
    bench.lanes.run(company, || bench.run(suite, &arguments, &[]))
}

/// Why a test did not pass.
fn broken(run: &Run, test: &str, bench: &Bench) -> Option<String> {
    let report = Report::read(&run.stdout);
    if let Some(failure) = report.failures.iter().find(|failure| failure.test == test) {
        return Some(failure.output.clone());
    }
    let has_passed = report.unfinished(&[test.to_owned()]).is_empty()
        && !failed(&run.stdout).iter().any(|failed| failed == test);
    (!has_passed).then(|| match run.status {
        None => format!("it still ran after {} s", bench.limit.as_secs()),
        Some(_) => format!("the test process {} before it had a result", run.ended()),
    })
}
