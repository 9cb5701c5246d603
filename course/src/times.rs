//! `dev check --times`: how long a learner waits, from an edit to the verdict, task by task.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use testenv::Error;

use crate::faults::{self, Faults};
use crate::grade::{Grade, Grader, Plan};
use crate::promises::{self, MINE};
use crate::say::{self, Ongoing};
use crate::seed;
use crate::suite::{self, Bench, Suite};
use crate::tasks::{Course, Task};

/// What was measured for one task.
struct Times<'a> {
    task: &'a Task,
    /// The finished suite, checked for the first time: servers start, no catcher is known.
    first: Duration,
    /// The finished suite, edited and checked again.
    second: Duration,
    /// The exercise as it was given: every fault survives.
    given: Duration,
}

/// Measures the tasks one after the other, and prints the slowest first. Nothing else should run.
pub(crate) fn measure(
    course: &Course,
    tasks: &[&Task],
    limit: Duration,
) -> Result<ExitCode, Error> {
    let mut all = Vec::new();
    for task in tasks {
        let faults = faults::read(course, task)?;
        let bench = Bench::new(limit)?;
        let going_on = Ongoing::new(format!("{}: measuring", task.name));
        // What others left to be built is no part of an edit.
        let unknown = BTreeMap::new();
        let last = suite::build(course, task, &suite::SUITES, faults.tier, &bench.guard)?
            .map_err(|suite::Refused(words)| Error::new("a suite does not compile").cause(words))?;
        let one = |suite: &str, known: &BTreeMap<usize, String>| {
            let edit = Edit { course, task, faults: &faults, bench: &bench, last: &last[suite] };
            edit.to_verdict(suite, known)
        };
        let every = faults.faults.len();
        let (first, grade) = one("solution", &unknown)?;
        expect(task, "the solution", &grade, every)?;
        let (second, again) = one("solution", &catchers(&grade))?;
        expect(task, "the solution, checked again,", &again, every)?;
        let (given, grade) = one("exercise", &unknown)?;
        expect(task, "the exercise", &grade, 0)?;
        drop(going_on);
        let times = Times { task, first, second, given };
        say::out(row(&times));
        all.push(times);
    }
    all.sort_by_key(|times| std::cmp::Reverse(times.first));
    say::out("\nfrom an edit to the verdict, in seconds, the slowest first:");
    say::out(format_args!("{:<28}{:>8}{:>8}{:>10}", "", "first", "again", "as given"));
    all.iter().for_each(|times| say::out(row(times)));
    Ok(ExitCode::SUCCESS)
}

/// The time to another verdict is not the one that was asked for.
fn expect(task: &Task, whose: &str, grade: &Grade, caught: usize) -> Result<(), Error> {
    if grade.refused.is_empty() && grade.caught() == caught {
        return Ok(());
    }
    let found = match grade.refused.len() {
        0 => format!("caught {} faults", grade.caught()),
        refused => format!("refused {refused} right programs"),
    };
    let error = Error::new(format!("{whose} of {} {found}", task.name));
    Err(error.fix(format!("cargo course dev check {}", task.name)))
}

fn row(times: &Times<'_>) -> String {
    let [first, second, given] =
        [times.first, times.second, times.given].map(|it| it.as_secs_f64());
    format!("{:<28}{first:>8.1}{second:>8.1}{given:>10.1}", times.task.name)
}

/// A suite is edited and checked.
struct Edit<'a> {
    course: &'a Course,
    task: &'a Task,
    faults: &'a Faults,
    bench: &'a Bench,
    /// The program before the edit.
    last: &'a Suite,
}

impl Edit<'_> {
    /// As `check` does it: the last program starts the servers while the compiler works.
    fn to_verdict(
        &self,
        suite: &str,
        known: &BTreeMap<usize, String>,
    ) -> Result<(Duration, Grade), Error> {
        let Edit { course, task, faults, bench, last } = *self;
        let file = task.dir.join("tests").join(suite).with_extension("rs");
        #[expect(
            clippy::disallowed_methods,
            reason = "cargo compares it with what the file system noted"
        )]
        let now = SystemTime::now();
        let touched = File::options().append(true).open(&file);
        touched.and_then(|file| file.set_modified(now)).map_err(|cause| {
            Error::new(format!("cannot change the time of {}", file.display())).cause(cause)
        })?;
        let start = Instant::now();
        let with_mine = [suite, MINE];
        let targets = if faults.promises.is_empty() { &with_mine[..1] } else { &with_mine };
        let built = std::thread::scope(|scope| {
            scope.spawn(|| bench.start_servers(last, &faults.services(faults.tier)));
            suite::build(course, task, targets, faults.tier, &bench.guard)
        })?;
        let mut built = built
            .map_err(|suite::Refused(words)| Error::new("a suite does not compile").cause(words))?;
        let suite = built.remove(suite).expect("build returns every target it was asked for");
        let grader = Grader::new(&suite, bench, faults, seed::any()?)?;
        let plan = Plan { known: known.clone(), all_catchers: false, ..Plan::whole(faults) };
        let mine = built.remove(MINE);
        let grade = || grader.grade(&plan, &|_| {});
        let (grade, _) = promises::try_beside(mine.as_ref(), bench, &faults.promises, grade)?;
        Ok((start.elapsed(), grade))
    }
}

/// By the number of a fault, a test that caught it.
fn catchers(grade: &Grade) -> BTreeMap<usize, String> {
    let verdicts = grade.verdicts.iter();
    verdicts.filter_map(|(at, verdict)| Some((*at, verdict.first()?.clone()))).collect()
}
