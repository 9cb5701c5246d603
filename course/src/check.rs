//! `check`: grades the learner's file and says what to do next.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use testenv::Error;

use crate::faults::{self, Faults, Tier};
use crate::grade::{Event, Grade, Grader, Plan, Refusal, Why, names};
use crate::libtest::Failure;
use crate::progress::{self, Notes, PROGRAMS, PROGRESS, Score, VERDICTS};
use crate::promises::{self, MINE};
use crate::requirements::Requirement;
use crate::say::{self, BAD, DIM, GOOD, Ongoing, STRONG, count, paint, tail};
use crate::suite::{self, Bench, Refused, Suite};
use crate::tasks::{Course, Task};
use crate::trial::Verdict;

/// The options of a check.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Builds and runs the tests on real servers
    #[arg(long)]
    integration: bool,
    /// Stops a test process after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Tries only the fault with this number
    #[arg(long, value_name = "NUMBER")]
    fault: Option<usize>,
    /// Repeats the order of an earlier check, by the number that it printed
    #[arg(long, value_name = "NUMBER")]
    order: Option<u64>,
}

/// Checks one task. The exit code is 0 when the task is complete, otherwise 1.
pub(crate) fn check(course: &Course, task: &Task, options: &Options) -> Result<ExitCode, Error> {
    let faults = faults::read(course, task)?;
    if options.integration && !task.has_integration_tier()? {
        return Err(Error::new(format!(
            "{} has no real tier: its manifest has no feature `integration`",
            task.name
        ))
        .fix(format!("cargo course check {}", task.name)));
    }
    let tier = if options.integration { Tier::Integration } else { faults.tier };
    say::out(format_args!("{}: {}", paint(STRONG, &task.name), task.title()?));
    faults.look_for_servers(tier)?;
    if !task.exercise().exists() {
        return Err(Error::new(format!("{} is gone", say::short(&course.root, &task.exercise())))
            .fix(format!("cargo course reset {}", task.name)));
    }
    let bench = Bench::warm(course, Duration::from_secs(options.limit))?;
    let promises = if options.fault.is_none() { &faults.promises[..] } else { &[] };
    let built = std::thread::scope(|scope| {
        scope.spawn(|| start_servers(course, task, &bench, &faults.services(tier)));
        build(course, task, &bench, tier, !promises.is_empty())
    })?;
    let Built { suite, mine } = match built {
        Ok(built) => built,
        Err(Refused(words)) => {
            say::note(words);
            say::out(format_args!(
                "{}: {} does not compile; the compiler's words stand above",
                task.name,
                say::short(&course.root, &task.exercise())
            ));
            return Ok(ExitCode::FAILURE);
        }
    };
    let seed = options.order.map_or_else(crate::seed::any, Ok)?;
    let grader = Grader::new(&suite, &bench, &faults, seed)?;
    let program = suite.program.display().to_string();
    // Without it, the next check starts its servers later.
    Notes::of(&course.root)
        .update(PROGRAMS, |rows| drop(rows.insert(task.name.clone(), program)))
        .ok();
    let plan = plan(course, task, &faults, options.fault)?;
    let show = || show_grade(&grader, &plan);
    let (grade, broken) = promises::try_beside(mine.as_ref(), &bench, promises, show)?;
    show_promises(task, &faults, &broken);

    let accepted = grade.refused.is_empty();
    let promises_kept = broken.iter().filter(|why| why.is_none()).count();
    let points = if accepted { grade.caught() + promises_kept } else { 0 };
    let score = Score::new(points, faults.points());
    let before = Score::of_task(&Notes::of(&course.root).rows(PROGRESS)?, &task.name);
    let is_whole = options.fault.is_none();
    let kept = keep(course, task, &faults, (&grade, &broken), is_whole.then_some(score));
    let done = accepted && grade.caught() == plan.faults.len() && promises_kept == promises.len();
    let caught = format!("{}/{} faults caught", grade.caught(), faults.faults.len());
    let result = match options.fault {
        None if promises.is_empty() => caught,
        None => format!("{caught}, {promises_kept}/{} promises kept", promises.len()),
        Some(number) if done => format!("fault {number} is caught"),
        Some(number) => format!("fault {number} is not caught"),
    };
    say::out(format_args!("{}: {}", task.name, paint(if done { GOOD } else { BAD }, result)));
    if options.fault.is_none() && score.falls_back(before) {
        say::out(format_args!(
            "{} was complete, and stays so; this check says what was lost since",
            task.name
        ));
    }
    if options.fault.is_none() || !done {
        next_step(course, task, accepted, done);
    }
    bench.say_what_stays();
    kept?;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was built for a check.
struct Built {
    suite: Suite,
    /// The checks of the learner's own piece. `None` if they do not compile with it, or none is asked for.
    mine: Option<Suite>,
}

fn build(
    course: &Course,
    task: &Task,
    bench: &Bench,
    tier: Tier,
    with_mine: bool,
) -> Result<Result<Built, Refused>, Error> {
    let targets = if with_mine { &["exercise", MINE][..] } else { &["exercise"] };
    match suite::build(course, task, targets, tier, &bench.guard)? {
        Ok(mut suites) => {
            let suite = suites.remove("exercise");
            let suite = suite.expect("build returns every target it was asked for");
            Ok(Ok(Built { suite, mine: suites.remove(MINE) }))
        }
        Err(refused) if with_mine => {
            let built = build(course, task, bench, tier, false)?;
            if built.is_ok() {
                say::note(refused.0);
            }
            Ok(built)
        }
        Err(refused) => Ok(Err(refused)),
    }
}

/// Starts the servers while the compiler works, if the last check left a program.
fn start_servers(course: &Course, task: &Task, bench: &Bench, services: &str) {
    let rows = Notes::of(&course.root).rows(PROGRAMS).unwrap_or_default();
    let program = rows.get(&task.name).map(PathBuf::from).filter(|program| program.exists());
    let Some(program) = program else { return };
    let suite = Suite {
        program,
        source: task.exercise(),
        compiled_in: course.root.clone(),
        dir: task.dir.clone(),
        package: task.name.clone(),
        tier: Tier::Integration,
    };
    bench.start_servers(&suite, services);
}

/// Which faults are tried: those that no check has caught come first.
fn plan(course: &Course, task: &Task, faults: &Faults, only: Option<usize>) -> Result<Plan, Error> {
    let rows = Notes::of(&course.root).rows(VERDICTS)?;
    let mut plan = Plan { variants: only.is_none(), all_catchers: false, ..Plan::whole(faults) };
    for (at, fault) in faults.faults.iter().enumerate() {
        let row = rows.get(&format!("{}/{}", task.name, fault.id));
        plan.known
            .extend(row.and_then(|row| progress::catcher(row)).map(|test| (at, test.to_owned())));
    }
    plan.faults.sort_by_key(|at| plan.known.contains_key(at));
    if let Some(number) = only {
        plan.faults = vec![faults.place(task, number)?];
    }
    Ok(plan)
}

fn show_grade(grader: &Grader<'_>, plan: &Plan) -> Result<Grade, Error> {
    let (faults, suite) = (grader.faults, grader.suite);
    let going_on = Ongoing::new(format!("{}: the right program", suite.package));
    let program = |variant: Option<usize>| match variant {
        None => "the right program".to_owned(),
        Some(at) => format!("another right program, {} of {}", at + 1, faults.variants.len()),
    };
    let number_width = faults.faults.len().to_string().len();
    let grade = grader.grade(plan, &|event| match event {
        Event::Accepted(variant) => {
            going_on.say(format_args!("  {} {}", paint(GOOD, "accepted"), program(variant)));
            going_on.now(format!("{}: right and wrong programs", suite.package));
        }
        Event::Refused(variant, refusal) => {
            going_on.say(format_args!("  {}  {}", paint(BAD, "refused"), program(variant)));
            let misread = variant.map(|at| &faults.variants[at].requirement);
            explanation(refusal, suite, misread).iter().for_each(|line| going_on.say(line));
        }
        Event::Tried(at, verdict) => {
            let (style, word, why) = describe(verdict);
            let word = paint(style, format_args!("{word:8}"));
            going_on.say(format_args!("  fault {:number_width$}  {word}  {why}", at + 1));
            let indent = format!("        {:number_width$}", "");
            if matches!(verdict, Verdict::Caught { .. }) && !plan.known.contains_key(&at) {
                going_on.say(paint(DIM, format_args!("{indent}  {}", faults.faults[at].story)));
            }
            if let Verdict::Crashed { cure, .. } = verdict {
                going_on.say(format_args!("{indent}  does not count: {cure}"));
            }
            if !matches!(verdict, Verdict::Caught { .. }) {
                let requirement = &faults.faults[at].requirement;
                going_on.say(format_args!("{indent}  it breaks {requirement}"));
            }
        }
    })?;
    Ok(grade)
}

fn show_promises(task: &Task, faults: &Faults, broken: &[Option<String>]) {
    for (at, (promise, why)) in faults.promises.iter().zip(broken).enumerate() {
        let Some(why) = why else {
            say::out(format_args!("  promise {}  {}", at + 1, paint(GOOD, promises::KEPT)));
            continue;
        };
        let word = paint(BAD, promises::BROKEN);
        say::out(format_args!("  promise {}  {word}  it is {}", at + 1, promise.requirement));
        say::out(paint(DIM, tail(why, 8)));
        say::out(format_args!("             again: {}", promises::again(task, faults, promise)));
    }
}

/// Says in lines why a right program was refused. `misread` is the requirement of a variant, which is
/// another right program that the tests should accept.
pub(crate) fn explanation(
    refusal: &Refusal,
    suite: &Suite,
    misread: Option<&Requirement>,
) -> Vec<String> {
    let during = &refusal.during;
    let mut lines = match &refusal.why {
        Why::Failed(failures) => {
            let failure = |failure: &Failure| {
                format!(
                    "    {} failed ({during}):\n{}",
                    failure.test,
                    paint(DIM, tail(&failure.output, 15))
                )
            };
            failures.iter().map(failure).collect()
        }
        Why::NothingRan { ignored: 0 } => vec!["    it has no test: write one with #[test]".into()],
        Why::NothingRan { ignored } => vec![format!(
            "    no test ran: {} #[ignore], and what does not run proves nothing",
            count(*ignored, "has", "have")
        )],
        Why::Hung { running, limit } => vec![format!(
            "    {} still ran after {limit} s ({during}): give every wait a deadline, or the tests more time: --limit {}",
            names(running),
            2 * limit
        )],
        Why::LeftBehind(processes) => vec![format!(
            "    left a process behind: {} ({during})\n    wait for it, or kill it, before the test ends",
            names(processes)
        )],
        Why::EndedEarly { how, words } => vec![format!(
            "    the test process {how} before it had a result ({during})\n{}",
            paint(DIM, words)
        )],
    };
    match misread {
        Some(requirement) => lines.push(format!(
            "    this program is right too: read {requirement}\n    and test no more than it says"
        )),
        None if matches!(refusal.why, Why::NothingRan { .. }) => {}
        None => lines.push(format!("    again: {}", suite.again(&refusal.arguments))),
    }
    lines
}

/// Describes the verdict in a few words.
fn describe(verdict: &Verdict) -> (anstyle::Style, &'static str, String) {
    match verdict {
        Verdict::Caught { by, .. } => (GOOD, "caught", format!("by {}", names(by))),
        Verdict::Crashed { why, .. } => (BAD, "crashed", why.clone()),
        Verdict::Survived { reached: false, .. } => {
            (BAD, "survived", "no test of yours ran this code".into())
        }
        Verdict::Survived { tests, .. } => {
            (BAD, "survived", format!("{tests} of your tests ran this code, none noticed"))
        }
    }
}

/// Writes the score, if everything was tried, and the verdicts. A suite that was not accepted has
/// caught nothing: the task's old verdicts are removed.
fn keep(
    course: &Course,
    task: &Task,
    faults: &Faults,
    (grade, broken): (&Grade, &[Option<String>]),
    score: Option<Score>,
) -> Result<(), Error> {
    let notes = Notes::of(&course.root);
    notes.update(VERDICTS, |rows| {
        if score.is_some() {
            rows.retain(|key, _| !key.starts_with(&format!("{}/", task.name)));
        }
        rows.extend(grade.verdicts.iter().map(|(at, verdict)| {
            (format!("{}/{}", task.name, faults.faults[*at].id), verdict.row())
        }));
        rows.extend(faults.promises.iter().zip(broken).map(|(promise, why)| {
            let word = if why.is_none() { promises::KEPT } else { promises::BROKEN };
            (format!("{}/{}", task.name, promise.test), word.to_owned())
        }));
    })?;
    let Some(score) = score else { return Ok(()) };
    notes.update(PROGRESS, |rows| {
        let row = score.row_after(Score::of_task(rows, &task.name));
        rows.insert(task.name.clone(), row);
    })
}

fn next_step(course: &Course, task: &Task, accepted: bool, done: bool) {
    if done && course.after(task).is_none() {
        return say::out(
            "that was the last task; compare with the solution: cargo course solution",
        );
    }
    let name = &task.name;
    say::out(match (accepted, done) {
        (_, true) => {
            format!("next: cargo course next    (compare first: cargo course solution {name})")
        }
        (true, false) => format!(
            "next: edit {}, then cargo course check {name}    (stuck? cargo course hint {name})",
            say::short(&course.root, &task.exercise())
        ),
        (false, _) => format!(
            "next: let {} accept every right program, then cargo course check {name}",
            say::short(&course.root, &task.exercise())
        ),
    });
}
