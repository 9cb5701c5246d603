//! Grades the piece that a learner builds beside the tests: the checks of the finished suite, made on
//! the learner's `Mine`.
//!
//! Invariant: a promise that the load could have broken is told as broken only after it was seen
//! broken alone.

use testenv::Error;

use crate::faults::{Faults, Promise};
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

/// Tries all promises while `grade` grades the suite.
pub(crate) fn try_beside<T>(
    mine: Option<&Suite>,
    bench: &Bench,
    promises: &[Promise],
    grade: impl FnOnce() -> Result<T, Error>,
) -> Result<(T, Vec<Option<String>>), Error> {
    std::thread::scope(|scope| {
        let tried = scope.spawn(|| try_all(mine, bench, promises));
        let grade = grade()?;
        Ok((grade, joined(tried)?))
    })
}

/// Tries all promises, and returns for each why it is broken. `None` is a promise that is kept.
/// Without a program, all are broken.
pub(crate) fn try_all(
    mine: Option<&Suite>,
    bench: &Bench,
    promises: &[Promise],
) -> Result<Vec<Option<String>>, Error> {
    let Some(suite) = mine else {
        return Ok(promises.iter().map(|_| Some(REFUSED.to_owned())).collect());
    };
    let tests: Vec<&str> = promises.iter().map(|promise| promise.test.as_str()).collect();
    let run = |tests: &[&str], company| {
        let arguments = [&["--exact"], tests].concat();
        bench.lanes.run(company, || bench.run(suite, &arguments, &[]))
    };
    let at_once = run(&tests, Company::Others)?;
    let tried = tests.iter().map(|test| match broken(&at_once, test, bench) {
        None => Ok(None),
        Some(_) => Ok(broken(&run(&[test], Company::Nobody)?, test, bench)),
    });
    tried.collect()
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
