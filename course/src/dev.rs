//! `dev check`: proves that the tasks are sound. It is for those who write tasks.
//!
//! Invariant: an exercise catches no fault. A solution catches all faults, and each of its tests
//! catches at least one. A sham suite scores 0.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitCode};
use std::time::Duration;

use testenv::Error;

use crate::faults::{self, Faults, Mutation, Tier};
use crate::grade::{Grader, Refusal, Verdict, fresh_seed, names};
use crate::process;
use crate::say::{self, BAD, GOOD, Ongoing, paint};
use crate::suite::{self, Bench, Suite};
use crate::tasks::{Course, Task};

/// Suites that look like tests and test nothing.
const SHAMS: [(&str, &str); 5] = [
    ("empty", include_str!("../adversarial/empty.rs")),
    ("assert_true", include_str!("../adversarial/assert_true.rs")),
    ("always_panic", include_str!("../adversarial/always_panic.rs")),
    ("sleep_only", include_str!("../adversarial/sleep_only.rs")),
    ("ignored", include_str!("../adversarial/ignored.rs")),
];

/// Compiling one small file takes a second; a machine under load gets much more before we call it hung.
const RUSTC_LIMIT: Duration = Duration::from_mins(2);

/// The numbers of the last line.
#[derive(Default)]
struct Tally {
    tasks: usize,
    faults: usize,
    caught: usize,
    variants: usize,
    accepted: usize,
    solution_tests: usize,
    useful: usize,
    failures: Vec<String>,
}

/// What a suite is worth.
struct Graded {
    /// The refused right programs. `None` is the program as written, a number is the number of a
    /// variant.
    refused: Vec<(Option<usize>, Refusal)>,
    /// By fault, in order; empty when a right program was refused.
    verdicts: Vec<Verdict>,
    tests: Vec<String>,
}

impl Graded {
    fn caught(&self) -> usize {
        self.verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Caught { .. })).count()
    }

    /// The tests that caught something.
    fn useful(&self) -> BTreeSet<&String> {
        let catchers = self.verdicts.iter().filter_map(|verdict| {
            if let Verdict::Caught { by } = verdict { Some(by) } else { None }
        });
        catchers.flatten().collect()
    }
}

/// Checks the named tasks, or all tasks. The exit code is 0 when all are sound.
pub(crate) fn check(course: &Course, words: &[String], limit: Duration) -> Result<ExitCode, Error> {
    let named =
        words.iter().map(|word| course.find(word)).collect::<Result<Vec<&Task>, Error>>()?;
    let tasks = if named.is_empty() { course.tasks.iter().collect() } else { named };
    let bench = Bench::new(limit)?;
    let shams = shams(&bench)?;
    let mut tally = Tally::default();
    for task in tasks {
        tally.tasks += 1;
        let before = tally.failures.len();
        match faults::read(course, task) {
            Ok(faults) => tally.task(course, task, &faults, &shams, &bench)?,
            Err(malformed) => tally.failure(format_args!("{}: {malformed}", task.name)),
        }
        let sound = if tally.failures.len() == before {
            paint(GOOD, "sound")
        } else {
            paint(BAD, "not sound")
        };
        say::out(format_args!("{}: {sound}", task.name));
    }
    let Tally { tasks, faults, caught, variants, accepted, solution_tests, useful, failures } =
        tally;
    if tasks > 1 {
        // They are far above, among what each task printed.
        failures.iter().for_each(|failure| off(failure));
    }
    say::out(format_args!(
        "{tasks} tasks, {caught} of {faults} faults caught, {accepted} of {variants} variants accepted, {useful} of {solution_tests} solution tests useful"
    ));
    Ok(if failures.is_empty() && tasks > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Tally {
    fn failure(&mut self, what: impl std::fmt::Display) {
        off(&what);
        self.failures.push(what.to_string());
    }

    fn task(
        &mut self,
        course: &Course,
        task: &Task,
        faults: &Faults,
        shams: &BTreeMap<&'static str, Suite>,
        bench: &Bench,
    ) -> Result<(), Error> {
        self.faults += faults.faults.len();
        self.variants += faults.variants.len();
        if faults.faults.is_empty() {
            self.failure(format_args!("{} has no fault to catch", task.name));
        }
        faults.look_for_servers(faults.tier)?;
        match suite::build(course, task, &["exercise", "solution"], faults.tier)? {
            Err(suite::Refused(words)) => {
                say::note(words);
                self.failure(format_args!(
                    "{}: its exercise or its solution does not compile",
                    task.name
                ));
            }
            Ok(suites) => {
                self.exercise(task, &suites["exercise"], faults, bench)?;
                self.solution(task, &suites["solution"], faults, bench)?;
            }
        }
        for (name, sham) in shams {
            let sham = Suite {
                dir: task.dir.clone(),
                package: task.name.clone(),
                program: sham.program.clone(),
                source: sham.source.clone(),
                compiled_in: sham.compiled_in.clone(),
                tier: sham.tier,
            };
            let graded =
                grade(&format!("{}: the sham suite {name}", task.name), &sham, faults, bench)?;
            if graded.caught() > 0 {
                self.failure(format_args!(
                    "{}: the sham suite {name} catches {} faults",
                    task.name,
                    graded.caught()
                ));
            }
        }
        Ok(())
    }

    fn exercise(
        &mut self,
        task: &Task,
        suite: &Suite,
        faults: &Faults,
        bench: &Bench,
    ) -> Result<(), Error> {
        let graded = grade(&format!("{}: the exercise", task.name), suite, faults, bench)?;
        self.refusals(&format!("the exercise of {}", task.name), &graded, suite, faults);
        for (fault, verdict) in faults.faults.iter().zip(&graded.verdicts) {
            if let Verdict::Caught { by } = verdict {
                self.failure(format_args!(
                    "{}: the exercise already catches {} (by {})",
                    task.name,
                    fault.id,
                    names(by)
                ));
            }
        }
        Ok(())
    }

    fn solution(
        &mut self,
        task: &Task,
        suite: &Suite,
        faults: &Faults,
        bench: &Bench,
    ) -> Result<(), Error> {
        let graded = grade(&format!("{}: the solution", task.name), suite, faults, bench)?;
        self.refusals(&format!("the solution of {}", task.name), &graded, suite, faults);
        self.caught += graded.caught();
        // When the program as written is refused, no variant was tried.
        if graded.refused.iter().all(|(variant, _)| variant.is_some()) {
            self.accepted += faults.variants.len() - graded.refused.len();
        }
        for (fault, verdict) in faults.faults.iter().zip(&graded.verdicts) {
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
        self.solution_tests += graded.tests.len();
        self.useful += useful.len();
        if !graded.verdicts.is_empty() {
            for test in graded.tests.iter().filter(|test| !useful.contains(test)) {
                self.failure(format_args!(
                    "{}: the solution's test {test} catches no fault",
                    task.name
                ));
            }
        }
        Ok(())
    }

    fn refusals(&mut self, whose: &str, graded: &Graded, suite: &Suite, faults: &Faults) {
        for (variant, refusal) in &graded.refused {
            let variant = variant.map(|at| &faults.variants[at]);
            let program = variant.map_or("the program as written".into(), |variant| {
                format!("the variant {}", variant.id)
            });
            self.failure(format_args!("{whose} refuses {program}"));
            crate::check::explain(refusal, suite, variant.map(|variant| &variant.requirement));
        }
    }
}

fn off(what: &dyn std::fmt::Display) {
    say::out(format_args!("  {} {what}", paint(BAD, "off:")));
}

fn grade(name: &str, suite: &Suite, faults: &Faults, bench: &Bench) -> Result<Graded, Error> {
    let going_on = Ongoing::new(name);
    let grader = Grader::new(suite, bench, fresh_seed())?;
    let mut graded =
        Graded { refused: Vec::new(), verdicts: Vec::new(), tests: grader.tests.clone() };
    let begun = |variant: Option<&Mutation>| {
        if let Some(variant) = variant {
            going_on.now(format!("{name}, variant {}", variant.id));
        }
    };
    if let Some(refusal) = grader.accept(&[None], begun)?.remove(0) {
        graded.refused.push((None, refusal));
        return Ok(graded);
    }
    let variants: Vec<Option<&Mutation>> = faults.variants.iter().map(Some).collect();
    let refusals = grader.accept(&variants, begun)?;
    let refused = refusals.into_iter().enumerate();
    graded.refused.extend(refused.filter_map(|(at, refusal)| Some((Some(at), refusal?))));
    if graded.refused.is_empty() {
        graded.verdicts = grader.try_faults(&faults.faults, |fault| {
            going_on.now(format!("{name}, fault {}", fault.id));
        })?;
    }
    Ok(graded)
}

/// Compiles the sham suites with the compiler alone: they use nothing of a task.
fn shams(bench: &Bench) -> Result<BTreeMap<&'static str, Suite>, Error> {
    let _going_on = Ongoing::new("compiling the sham suites");
    let dir = bench.scratch.path();
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let suites = SHAMS.into_iter().map(|(name, text)| {
        let (source, program) = (dir.join(format!("{name}.rs")), dir.join(name));
        std::fs::write(&source, text).map_err(process::no_scratch)?;
        let mut command = Command::new(&compiler);
        command.args(["--edition", "2024", "--test", "-o"]).arg(&program).arg(&source);
        let run = process::run(&mut command, RUSTC_LIMIT, None)?;
        if !run.success() {
            return Err(Error::new(format!("rustc {} on the sham suite {name}", run.ended()))
                .cause(run.stderr.trim()));
        }
        Ok((
            name,
            Suite {
                program,
                source,
                compiled_in: dir.to_owned(),
                dir: dir.to_owned(),
                package: name.into(),
                tier: Tier::Plain,
            },
        ))
    });
    suites.collect()
}
