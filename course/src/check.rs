//! `check`: grades the learner's file and says what to do next.

use std::process::ExitCode;
use std::time::Duration;

use testenv::Error;

use crate::faults::{self, Faults, Mutation, Tier};
use crate::grade::{Grader, Refusal, Verdict, Why, fresh_seed, names};
use crate::progress::{Notes, PROGRESS, Score, VERDICTS};
use crate::requirements::Requirement;
use crate::say::{self, BAD, DIM, GOOD, Ongoing, STRONG, count, paint, tail};
use crate::suite::{self, Bench, Suite};
use crate::tasks::{Course, Task};

/// The options of a check.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Builds and runs the tests on real servers
    #[arg(long)]
    integration: bool,
    /// Stops a test process after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
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
    let built = suite::build(course, task, &["exercise"], tier)?;
    let suite = match built {
        Ok(mut suites) => {
            suites.remove("exercise").expect("build returns every target it was asked for")
        }
        Err(suite::Refused(words)) => {
            say::note(words);
            say::out(format_args!(
                "{}: {} does not compile; the compiler's words stand above",
                task.name,
                say::short(&course.root, &task.exercise())
            ));
            return Ok(ExitCode::FAILURE);
        }
    };
    let bench = Bench::new(Duration::from_secs(options.limit))?;
    let seed = options.order.unwrap_or_else(fresh_seed);
    let grader = Grader::new(&suite, &bench, seed)?;
    let accepted = show_acceptance(&grader, &suite, &faults)?;
    let verdicts = if accepted { show_faults(&grader, &faults.faults)? } else { Vec::new() };

    let caught =
        verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Caught { .. })).count();
    let score = Score { caught, of: faults.faults.len() };
    let kept = keep(course, task, &faults, &verdicts, score);
    let done = accepted && score.complete();
    say::out(format_args!(
        "{}: {}",
        task.name,
        paint(if done { GOOD } else { BAD }, format_args!("{score} faults caught"))
    ));
    next_step(course, task, accepted, done);
    kept?;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show_acceptance(grader: &Grader<'_>, suite: &Suite, faults: &Faults) -> Result<bool, Error> {
    let going_on = Ongoing::new(format!("{}: the right program", suite.package));
    let refusal = grader.accept(&[None], |_| {})?;
    drop(going_on);
    if !show(refusal[0].as_ref(), "the right program", suite, None) {
        return Ok(false); // tests that refuse the program as it is say nothing about another
    }
    let going_on = Ongoing::new(format!("{}: other right programs", suite.package));
    let variants: Vec<Option<&Mutation>> = faults.variants.iter().map(Some).collect();
    let refusals = grader.accept(&variants, |_| {})?;
    drop(going_on);
    let mut accepted = true;
    for (at, (variant, refusal)) in faults.variants.iter().zip(&refusals).enumerate() {
        let name = format!("another right program, {} of {}", at + 1, refusals.len());
        accepted &= show(refusal.as_ref(), &name, suite, Some(&variant.requirement));
    }
    Ok(accepted)
}

/// Whether the program of this name was accepted.
fn show(
    refusal: Option<&Refusal>,
    name: &str,
    suite: &Suite,
    misread: Option<&Requirement>,
) -> bool {
    match refusal {
        None => say::out(format_args!("  {} {name}", paint(GOOD, "accepted"))),
        Some(refusal) => {
            say::out(format_args!("  {}  {name}", paint(BAD, "refused")));
            explain(refusal, suite, misread);
        }
    }
    refusal.is_none()
}

/// Says why a right program was refused. `misread` is the requirement of a variant, which is
/// another right program that the tests should accept.
pub(crate) fn explain(refusal: &Refusal, suite: &Suite, misread: Option<&Requirement>) {
    let during = &refusal.during;
    match &refusal.why {
        Why::Failed(failures) => {
            for failure in failures {
                say::out(format_args!(
                    "    {} failed ({during}):\n{}",
                    failure.test,
                    paint(DIM, tail(&failure.output, 15))
                ));
                if misread.is_none() {
                    say::out(format_args!("    again: {}", suite.again(&failure.test)));
                }
            }
        }
        Why::NothingRan { ignored: 0 } => say::out("    it has no test: write one with #[test]"),
        Why::NothingRan { ignored } => say::out(format_args!(
            "    no test ran: {} #[ignore], and what does not run proves nothing",
            count(*ignored, "has", "have")
        )),
        Why::Hung { running } => {
            say::out(format_args!(
                "    {} still ran at the time limit ({during}): give every wait a deadline",
                names(running)
            ));
        }
        Why::LeftBehind(processes) => {
            say::out(format_args!(
                "    left a process behind: {} ({during})\n    wait for it, or kill it, before the test ends",
                names(processes)
            ));
        }
        Why::EndedEarly { how, words } => say::out(format_args!(
            "    the test process {how} before it had a result ({during})\n{}",
            paint(DIM, words)
        )),
    }
    if let Some(requirement) = misread {
        say::out(format_args!(
            "    this program is right too: read {requirement}\n    and test no more than it says"
        ));
    }
}

fn show_faults(grader: &Grader<'_>, faults: &[Mutation]) -> Result<Vec<Verdict>, Error> {
    let going_on = Ongoing::new("trying the faults");
    let verdicts = grader.try_faults(faults, |fault| {
        let at = faults.iter().position(|other| other.id == fault.id);
        going_on.now(format!("trying fault {} of {}", at.map_or(0, |at| at + 1), faults.len()));
    })?;
    drop(going_on);
    let width = faults.len().to_string().len();
    for (at, (fault, verdict)) in faults.iter().zip(&verdicts).enumerate() {
        let (style, word, why) = describe(verdict);
        say::out(format_args!(
            "  fault {:width$}  {}  {why}",
            at + 1,
            paint(style, format_args!("{word:8}"))
        ));
        match verdict {
            Verdict::Caught { .. } => continue,
            Verdict::Crashed { cure, .. } => {
                say::out(format_args!("        {:width$}  does not count: {cure}", ""));
            }
            Verdict::Survived { .. } => {}
        }
        say::out(format_args!("        {:width$}  it breaks {}", "", fault.requirement));
    }
    Ok(verdicts)
}

/// Describes the verdict in a few words.
fn describe(verdict: &Verdict) -> (anstyle::Style, &'static str, String) {
    match verdict {
        Verdict::Caught { by } => (GOOD, "caught", format!("by {}", names(by))),
        Verdict::Crashed { why, .. } => (BAD, "crashed", why.clone()),
        Verdict::Survived { reached: false, .. } => {
            (BAD, "survived", "no test of yours ran this code".into())
        }
        Verdict::Survived { tests, .. } => {
            let who = match tests.len() {
                0 => "your tests".to_owned(), // on threads of their own, or of the subject
                number => count(number, "of your tests", "of your tests"),
            };
            (BAD, "survived", format!("{who} ran this code, none noticed"))
        }
    }
}

/// Writes the score and the verdicts. A suite that was not accepted has caught nothing: the task's
/// old verdicts are removed.
fn keep(
    course: &Course,
    task: &Task,
    faults: &Faults,
    verdicts: &[Verdict],
    score: Score,
) -> Result<(), Error> {
    let notes = Notes::of(&course.root);
    notes.update(VERDICTS, |rows| {
        rows.retain(|key, _| !key.starts_with(&format!("{}/", task.name)));
        let known = faults.faults.iter().zip(verdicts);
        rows.extend(known.map(|(fault, verdict)| {
            (format!("{}/{}", task.name, fault.id), verdict.word().to_owned())
        }));
    })?;
    notes.update(PROGRESS, |rows| drop(rows.insert(task.name.clone(), score.to_string())))
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
