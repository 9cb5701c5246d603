//! `dev check`: proves that the tasks are sound. It is for those who write tasks.
//!
//! Invariant: an exercise catches no fault. A solution catches all faults, and each of its tests
//! catches at least one. A sham suite scores 0.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Duration;

use testenv::Error;

use crate::faults::{self, Faults, Tier};
use crate::grade::{Event, Grade, Grader, Plan, names};
use crate::lanes::{self, Company, at_once};
use crate::promises::{self, MINE};
use crate::say::{self, BAD, GOOD, Ongoing, paint};
use crate::seed;
use crate::shams::{self, Sham};
use crate::suite::{self, Artifact, Bench, SUITES, Suite};
use crate::tasks::{Course, Task};
use crate::times;
use crate::trial::Verdict;

/// How many tasks are checked at once. The processes of all share the lanes of one check; with one
/// task at a time, lanes are empty while its last tests run.
const TASKS_AT_ONCE: usize = 6;

/// What was found: the numbers of the last line, and what is off.
#[derive(Default)]
struct Tally {
    faults: usize,
    caught: usize,
    variants: usize,
    accepted: usize,
    solution_tests: usize,
    useful: usize,
    failures: Vec<String>,
    /// What is printed about the task.
    lines: Vec<String>,
}

/// What a suite is worth.
struct Graded {
    grade: Grade,
    tests: Vec<String>,
}

impl Graded {
    /// The tests that caught something.
    fn useful(&self) -> BTreeSet<&String> {
        self.grade.verdicts.values().flat_map(Verdict::by).collect()
    }
}

/// The options of `dev check`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Stops a test process after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Measures instead how long a learner waits for the verdict, task by task
    #[arg(long)]
    times: bool,
    /// Tries each fault also on the tests that do not reach it: the same ones must catch it
    #[arg(long)]
    all_tests: bool,
}

/// Checks the named tasks, or all tasks. The exit code is 0 when all are sound.
pub(crate) fn check(
    course: &Course,
    words: &[String],
    options: &Options,
) -> Result<ExitCode, Error> {
    let limit = Duration::from_secs(options.limit);
    let named =
        words.iter().map(|word| course.find(word)).collect::<Result<Vec<&Task>, Error>>()?;
    let is_whole = named.is_empty();
    let tasks: Vec<&Task> = if is_whole { course.tasks.iter().collect() } else { named };
    if options.times {
        return times::measure(course, &tasks, limit);
    }
    let bench = Bench::new(limit)?;
    let whole = if is_whole { whole_workspace(course, &bench)? } else { BTreeMap::new() };
    let shams = shams::compiled(&bench)?;
    let going_on = Ongoing::new("checking the tasks");
    let tallies = at_once(TASKS_AT_ONCE, &tasks, |task| {
        let all_tests = options.all_tests;
        let check = Check { course, task, bench: &bench, going_on: &going_on, all_tests };
        let mut tally = Tally::default();
        match faults::read(course, task) {
            Ok(faults) => check.task(&faults, &shams, &whole, &mut tally)?,
            Err(malformed) => tally.failure(format_args!("{}: {malformed}", task.name)),
        }
        let is_sound = tally.failures.is_empty();
        let sound = if is_sound { paint(GOOD, "sound") } else { paint(BAD, "not sound") };
        tally.lines.push(format!("{}: {sound}", task.name));
        going_on.say(tally.lines.join("\n"));
        Ok(tally)
    })?;
    drop(going_on);
    let failures: Vec<&String> = tallies.iter().flat_map(|tally| &tally.failures).collect();
    if tasks.len() > 1 {
        // They are far above, among what each task printed.
        failures.iter().for_each(|failure| say::out(off(failure)));
    }
    let sum = |number: fn(&Tally) -> usize| tallies.iter().map(number).sum::<usize>();
    say::out(format_args!(
        "{} tasks, {} of {} faults caught, {} of {} variants accepted, {} of {} solution tests useful",
        tasks.len(),
        sum(|tally| tally.caught),
        sum(|tally| tally.faults),
        sum(|tally| tally.accepted),
        sum(|tally| tally.variants),
        sum(|tally| tally.useful),
        sum(|tally| tally.solution_tests)
    ));
    Ok(if failures.is_empty() && !tasks.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The check of one task.
struct Check<'a> {
    course: &'a Course,
    task: &'a Task,
    bench: &'a Bench,
    going_on: &'a Ongoing,
    /// Whether faults are also tried on tests that do not reach them.
    all_tests: bool,
}

impl Check<'_> {
    fn task(
        &self,
        faults: &Faults,
        shams: &[Sham],
        whole: &BTreeMap<Tier, Vec<Artifact>>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let task = self.task;
        tally.faults += faults.faults.len();
        tally.variants += faults.variants.len();
        if faults.faults.is_empty() {
            tally.failure(format_args!("{} has no fault to catch", task.name));
        }
        faults.look_for_servers(faults.tier)?;
        match self.built(&SUITES, faults.tier, whole)? {
            Err(suite::Refused(words)) => {
                say::note(words);
                tally.failure(format_args!(
                    "{}: its exercise or its solution does not compile",
                    task.name
                ));
            }
            Ok(suites) => {
                let (exercise, solution) = (&suites["exercise"], &suites["solution"]);
                let graded = self.grade("the exercise", exercise, faults, false)?;
                tally.exercise(task, &graded, exercise, faults);
                self.promises(faults, whole, tally)?;
                let graded = self.grade("the solution", solution, faults, false)?;
                tally.solution(task, &graded, solution, faults);
                if self.all_tests {
                    self.compare(&graded, solution, faults, tally)?;
                }
            }
        }
        let caught = at_once(shams.len(), shams, |sham| {
            let name = format!("the sham suite {}", sham.name);
            Ok(self.grade(&name, &sham.of(task), faults, true)?.grade.caught())
        })?;
        for (sham, caught) in shams.iter().zip(caught).filter(|(_, caught)| *caught > 0) {
            tally.failure(format_args!(
                "{}: the sham suite {} catches {caught} faults",
                task.name, sham.name
            ));
        }
        Ok(())
    }

    /// These targets of the task: of the whole workspace if they were built with it, otherwise alone.
    fn built(
        &self,
        targets: &[&str],
        tier: Tier,
        whole: &BTreeMap<Tier, Vec<Artifact>>,
    ) -> Result<Result<BTreeMap<String, Suite>, suite::Refused>, Error> {
        let built = whole.get(&tier).map(Vec::as_slice).unwrap_or_default();
        let built = suite::of_task(self.course, self.task, targets, tier, built);
        if built.len() == targets.len() {
            return Ok(Ok(built));
        }
        suite::build(self.course, self.task, targets, tier, &self.bench.guard)
    }

    /// The learner's piece as it is given breaks a promise, or there is nothing to build. That each
    /// check can fail, and that a finished piece passes it, the solution shows: the checks are its own.
    fn promises(
        &self,
        faults: &Faults,
        whole: &BTreeMap<Tier, Vec<Artifact>>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        if faults.promises.is_empty() {
            return Ok(());
        }
        let name = &self.task.name;
        self.going_on.now(format!("{name}: the promises"));
        match self.built(&[MINE], faults.tier, whole)? {
            Ok(built) => {
                let broken = promises::try_all(built.get(MINE), self.bench, &faults.promises)?;
                if broken.iter().all(Option::is_none) {
                    tally.failure(format_args!("{name}: the piece as given keeps every promise"));
                }
            }
            Err(suite::Refused(words)) => {
                say::note(words);
                tally.failure(format_args!("{name}: tests/{MINE}.rs does not compile"));
            }
        }
        Ok(())
    }

    /// Compares the verdicts on the solution with those of all its tests.
    fn compare(
        &self,
        graded: &Graded,
        suite: &Suite,
        faults: &Faults,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let grader = Grader::new(suite, self.bench, faults, seed::any()?)?;
        let numbers: Vec<usize> = graded.grade.verdicts.keys().copied().collect();
        let all = at_once(lanes::most(), &numbers, |at| {
            let fault = &faults.faults[*at];
            self.going_on.now(format!("{}: all tests on {}", self.task.name, fault.id));
            grader.catchers_of_all(fault)
        })?;
        for (at, all) in numbers.iter().zip(all) {
            let by: BTreeSet<String> = graded.grade.verdicts[at].by().iter().cloned().collect();
            if by != all {
                tally.failure(format_args!(
                    "{}: {} is caught by {by:?}, and of all tests by {all:?}",
                    self.task.name, faults.faults[*at].id
                ));
            }
        }
        Ok(())
    }

    fn grade(
        &self,
        name: &str,
        suite: &Suite,
        faults: &Faults,
        is_sham: bool,
    ) -> Result<Graded, Error> {
        let name = format!("{}: {name}", self.task.name);
        self.going_on.now(&name);
        let grader = Grader::new(suite, self.bench, faults, seed::any()?)?;
        // A sham is judged as a learner's suite is, but it may be refused for any reason.
        let doubts = if is_sham { Company::Others } else { Company::Nobody };
        let plan = Plan { doubts, confirm: is_sham, ..Plan::whole(faults) };
        let grade = grader.grade(&plan, &|event| {
            if let Event::Tried(at, _) = event {
                self.going_on.now(format!("{name}, after fault {}", faults.faults[at].id));
            }
        })?;
        Ok(Graded { grade, tests: grader.tests })
    }
}

impl Tally {
    fn failure(&mut self, what: impl std::fmt::Display) {
        self.lines.push(off(&what));
        self.failures.push(what.to_string());
    }

    fn exercise(&mut self, task: &Task, graded: &Graded, suite: &Suite, faults: &Faults) {
        self.refusals(&format!("the exercise of {}", task.name), graded, suite, faults);
        for (at, verdict) in &graded.grade.verdicts {
            let fault = &faults.faults[*at];
            if let Verdict::Caught { by, .. } = verdict {
                self.failure(format_args!(
                    "{}: the exercise already catches {} (by {})",
                    task.name,
                    fault.id,
                    names(by)
                ));
            }
        }
    }

    fn solution(&mut self, task: &Task, graded: &Graded, suite: &Suite, faults: &Faults) {
        self.refusals(&format!("the solution of {}", task.name), graded, suite, faults);
        self.caught += graded.grade.caught();
        // When the program as written is refused, no variant was tried.
        if graded.grade.refused.iter().all(|(variant, _)| variant.is_some()) {
            self.accepted += faults.variants.len() - graded.grade.refused.len();
        }
        for (at, verdict) in &graded.grade.verdicts {
            let fault = &faults.faults[*at];
            let why = match verdict {
                Verdict::Caught { .. } => continue,
                Verdict::Crashed { why, .. } => format!("crashes on {}: {why}", fault.id),
                Verdict::Survived { reached: true, .. } => {
                    format!("runs the code of {} and does not notice", fault.id)
                }
                Verdict::Survived { reached: false, .. } => {
                    format!("never runs the code of {}", fault.id)
                }
            };
            self.failure(format_args!("{}: the solution {why}", task.name));
        }
        let useful = graded.useful();
        // Where a piece is built beside the tests, some of them are of the finished piece.
        let has_a_piece = !faults.promises.is_empty();
        let of_the_piece = |test: &&String| has_a_piece && graded.grade.apart.contains(*test);
        let tests = graded.tests.iter().filter(|test| !of_the_piece(test));
        let tests: Vec<&String> = tests.collect();
        self.solution_tests += tests.len();
        self.useful += useful.len();
        if !graded.grade.verdicts.is_empty() {
            for test in tests.into_iter().filter(|test| !useful.contains(test)) {
                self.failure(format_args!(
                    "{}: the solution's test {test} catches no fault",
                    task.name
                ));
            }
        }
    }

    fn refusals(&mut self, whose: &str, graded: &Graded, suite: &Suite, faults: &Faults) {
        for (variant, refusal) in &graded.grade.refused {
            let variant = variant.map(|at| &faults.variants[at]);
            let program = variant.map_or("the program as written".into(), |variant| {
                format!("the variant {}", variant.id)
            });
            self.failure(format_args!("{whose} refuses {program}"));
            let misread = variant.map(|variant| &variant.requirement);
            self.lines.extend(crate::check::explanation(refusal, suite, misread));
        }
    }
}

fn off(what: &dyn std::fmt::Display) -> String {
    format!("  {} {what}", paint(BAD, "off:"))
}

/// Builds the suites of all tasks at once, in each tier, as `cargo test --workspace` builds them: the
/// libraries below them are then compiled once, not once for each task. A tier is missing if one of
/// its suites does not compile: then each task is built alone, which says whose it is.
fn whole_workspace(course: &Course, bench: &Bench) -> Result<BTreeMap<Tier, Vec<Artifact>>, Error> {
    let _going_on = Ongoing::new("building the tests of all tasks");
    let mut whole = BTreeMap::new();
    for tier in [Tier::Plain, Tier::Integration] {
        let mut arguments = vec!["--workspace"];
        arguments.extend(SUITES.iter().chain(&[MINE]).flat_map(|target| ["--test", target]));
        arguments.extend(tier.typed().split_whitespace());
        if let Ok(artifacts) = suite::artifacts(&course.root, &arguments, &bench.guard)? {
            whole.insert(tier, artifacts);
        }
    }
    Ok(whole)
}
