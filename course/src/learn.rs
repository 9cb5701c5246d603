//! The commands that only read and show: `list`, `faults`, `hint`, `solution`, `next`, and where
//! the learner is.

use std::process::ExitCode;

use testenv::Error;

use crate::faults::{self, Faults, Promise};
use crate::progress::{self, HINTS, Notes, PROGRESS, Rows, Score, VERDICTS};
use crate::promises::{self, KEPT};
use crate::say::{self, DIM, GOOD, STRONG, count, paint};
use crate::tasks::{Course, Task, text};

/// What the learner has done so far.
pub(crate) struct Learner {
    progress: Rows,
}

impl Learner {
    /// Reads the learner's progress from the workspace.
    pub(crate) fn of(course: &Course) -> Result<Learner, Error> {
        Ok(Learner { progress: Notes::of(&course.root).rows(PROGRESS)? })
    }

    fn score(&self, task: &Task) -> Option<Score> {
        Score::of_task(&self.progress, &task.name)
    }

    /// A task is complete once a check caught every fault that it has now.
    fn is_complete(&self, course: &Course, task: &Task) -> bool {
        let points_now = || faults::read(course, task).map(|faults| faults.points()).ok();
        self.score(task).is_some_and(|score| {
            score.is_complete && points_now().is_none_or(|number| number == score.of)
        })
    }

    /// The first task that is not complete.
    pub(crate) fn current<'a>(&self, course: &'a Course) -> Option<&'a Task> {
        course.tasks.iter().find(|task| !self.is_complete(course, task))
    }

    /// The task that a word means. Without a word: the task in whose folder the command was given,
    /// otherwise the current task.
    pub(crate) fn task<'a>(
        &self,
        course: &'a Course,
        word: Option<&str>,
    ) -> Result<&'a Task, Error> {
        match word {
            Some(word) => course.find(word),
            None => course.here().or_else(|| self.current(course)).ok_or_else(|| {
                Error::new("every task is complete")
                    .fix("name a task: cargo course list shows them")
            }),
        }
    }
}

/// Shows where the learner is and what to type next.
pub(crate) fn here(course: &Course) -> Result<ExitCode, Error> {
    let learner = Learner::of(course)?;
    let complete = course.tasks.iter().filter(|task| learner.is_complete(course, task)).count();
    say::out(format_args!(
        "{complete} of {} complete.",
        count(course.tasks.len(), "task", "tasks")
    ));
    let Some(task) = learner.current(course) else {
        say::out("That is all of them. Compare with the solutions: cargo course solution <task>");
        return Ok(ExitCode::SUCCESS);
    };
    // A file that cannot be read is the business of `check`, which names its line.
    let faults = faults::read(course, task).ok();
    let counted = faults.as_ref().map_or("faults caught", Faults::counted);
    let score =
        learner.score(task).map_or("not checked yet".into(), |score| format!("{score} {counted}"));
    let name = &task.name;
    say::out(format_args!("You are at {}: {} ({score}).\n", paint(STRONG, name), task.title()?));
    say::out(format_args!("  read   {}", say::short(&course.root, &task.dir.join("README.md"))));
    say::out(format_args!("  edit   {}", say::short(&course.root, &task.exercise())));
    let tier = faults.map_or("", |faults| faults.tier.typed());
    say::out(format_args!("  run    cargo test -p {name}{tier} --test exercise"));
    say::out(format_args!("  check  {}", paint(STRONG, "cargo course check")));
    say::out(format_args!("  stuck  cargo course hint"));
    Ok(ExitCode::SUCCESS)
}

/// Lists all tasks with their titles, and how far the learner is in each.
pub(crate) fn list(course: &Course) -> Result<ExitCode, Error> {
    let learner = Learner::of(course)?;
    let current = learner.current(course).map(|task| &task.name);
    let width = course.tasks.iter().map(|task| task.name.len()).max().unwrap_or(0);
    for task in &course.tasks {
        let here = if current == Some(&task.name) { ">" } else { " " };
        let score = learner.score(task).map_or("-".into(), |score| score.to_string());
        let style = if learner.is_complete(course, task) { GOOD } else { DIM };
        say::out(format_args!(
            "{here} {:width$}  {}  {}",
            task.name,
            paint(style, format_args!("{score:>5}")),
            task.title()?
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists the faults of a task by number and requirement. Shows what a fault is only after a hint
/// was given for it.
pub(crate) fn faults(course: &Course, task: &Task) -> Result<ExitCode, Error> {
    let faults = faults::read(course, task)?;
    let notes = Notes::of(&course.root);
    let (verdicts, hints) = (notes.rows(VERDICTS)?, notes.rows(HINTS)?);
    say::out(format_args!("{}: {}", paint(STRONG, &task.name), task.title()?));
    for (at, fault) in faults.faults.iter().enumerate() {
        let key = format!("{}/{}", task.name, fault.id);
        let verdict = verdicts.get(&key).map_or("not tried", |row| progress::word(row));
        say::out(format_args!("  fault {}  {verdict:9}  it breaks {}", at + 1, fault.requirement));
        let told = hint_level(&hints, &key);
        if told >= 1 {
            say::out(format_args!("           hint: {}", fault.hint));
        }
        if told >= 2 {
            say::out(format_args!("           {}: {}", fault.id, fault.story));
        }
    }
    for (at, promise) in faults.promises.iter().enumerate() {
        let row = verdicts.get(&format!("{}/{}", task.name, promise.test));
        let verdict = row.map_or("not tried", String::as_str);
        say::out(format_args!("  promise {}  {verdict:9}  it is {}", at + 1, promise.requirement));
    }
    if !faults.variants.is_empty() {
        say::out(format_args!(
            "and {} that your tests must accept",
            count(faults.variants.len(), "other right program", "other right programs")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says a little more about a fault, by its number or the first that survives: first its hint, then
/// its story and the command that shows it.
pub(crate) fn hint(course: &Course, task: &Task, number: Option<usize>) -> Result<ExitCode, Error> {
    let faults = faults::read(course, task)?;
    let notes = Notes::of(&course.root);
    let verdicts = notes.rows(VERDICTS)?;
    let key = |id: &str| format!("{}/{id}", task.name);
    let surviving: Vec<_> = faults
        .faults
        .iter()
        .enumerate()
        .filter(|(_, fault)| {
            verdicts.get(&key(&fault.id)).is_none_or(|row| progress::word(row) != "caught")
        })
        .collect();
    let chosen = match number {
        Some(number) => {
            let at = faults.place(task, number)?;
            Some((at, &faults.faults[at]))
        }
        None => surviving.first().copied(),
    };
    let Some((at, fault)) = chosen else {
        let is_broken =
            |promise: &&Promise| verdicts.get(&key(&promise.test)).is_none_or(|row| row != KEPT);
        match faults.promises.iter().enumerate().find(|(_, promise)| is_broken(promise)) {
            Some((at, promise)) => {
                say::out(format_args!("promise {} is {}", at + 1, promise.requirement));
                say::out(format_args!("hint: {}", promise.hint));
                say::out(format_args!("see it: {}", promises::again(task, &faults, promise)));
            }
            None => say::out(format_args!(
                "{}: no fault survives, so there is nothing to hint at",
                task.name
            )),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let key = key(&fault.id);
    let told = hint_level(&notes.rows(HINTS)?, &key);
    say::out(format_args!("fault {} breaks {}", at + 1, fault.requirement));
    say::out(format_args!("hint: {}", fault.hint));
    if told >= 1 {
        say::out(format_args!("story: {}", fault.story));
        say::out(format_args!(
            "see it: COURSE_FAULT={} cargo test -p {}{} --test exercise",
            fault.id,
            task.name,
            faults.tier.typed()
        ));
    }
    let left = match told {
        0 => "1 more hint is left for this fault: type the same again".to_owned(),
        _ => format!(
            "that is all there is to tell about this fault (then: cargo course solution {} --show)",
            task.name
        ),
    };
    say::out(paint(
        DIM,
        format_args!(
            "{left}; {} in all",
            count(surviving.len(), "fault survives", "faults survive")
        ),
    ));
    let level = (told + 1).min(2);
    notes.update(HINTS, |rows| drop(rows.insert(key, level.to_string())))?;
    Ok(ExitCode::SUCCESS)
}

/// Tells the story of each fault that the last check caught.
pub(crate) fn story(course: &Course, task: &Task) -> Result<ExitCode, Error> {
    let faults = faults::read(course, task)?;
    let verdicts = Notes::of(&course.root).rows(VERDICTS)?;
    say::out(format_args!("{}: {}", paint(STRONG, &task.name), task.title()?));
    for (at, fault) in faults.faults.iter().enumerate() {
        let row = verdicts.get(&format!("{}/{}", task.name, fault.id));
        let is_caught = row.is_some_and(|row| progress::word(row) == "caught");
        let story = if is_caught { fault.story.as_str() } else { "not caught yet" };
        say::out(format_args!("  fault {}: {story}", at + 1));
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the finished suite, if the task is complete or the learner asks for it with `--show`.
pub(crate) fn solution(course: &Course, task: &Task, show: bool) -> Result<ExitCode, Error> {
    let learner = Learner::of(course)?;
    if !show && !learner.is_complete(course, task) {
        let score =
            learner.score(task).map_or("not checked yet".into(), |score| format!("at {score}"));
        say::note(format_args!("{} is {score}: its solution is worth more afterwards", task.name));
        say::note(format_args!("to see it now: cargo course solution {} --show", task.name));
        return Ok(ExitCode::FAILURE);
    }
    let solution = task.solution();
    say::out(paint(DIM, format_args!("// {}", say::short(&course.root, &solution))));
    say::out(text(&solution)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// The next task: the first that was never checked, otherwise the first that is not complete.
pub(crate) fn upcoming(course: &Course) -> Result<Option<&Task>, Error> {
    let learner = Learner::of(course)?;
    let never = course.tasks.iter().find(|task| learner.score(task).is_none());
    Ok(never.or_else(|| learner.current(course)))
}

/// Shows the next task.
pub(crate) fn next(course: &Course) -> Result<ExitCode, Error> {
    let learner = Learner::of(course)?;
    let Some(task) = upcoming(course)? else {
        say::out("every task is complete");
        return Ok(ExitCode::SUCCESS);
    };
    say::out(format_args!("{}\n", task.opening()?));
    say::out(format_args!("  read   {}", say::short(&course.root, &task.dir.join("README.md"))));
    say::out(format_args!("  edit   {}", say::short(&course.root, &task.exercise())));
    say::out(format_args!(
        "  check  {}",
        paint(STRONG, format_args!("cargo course check {}", task.name))
    ));
    for open in course.tasks.iter().filter(|other| {
        other.name != task.name
            && learner.score(other).is_some()
            && !learner.is_complete(course, other)
    }) {
        let score = learner.score(open).map_or_else(String::new, |score| score.to_string());
        say::out(paint(
            DIM,
            format_args!("{} stays at {score}; you can come back to it at any time", open.name),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn hint_level(hints: &Rows, key: &str) -> u8 {
    hints.get(key).and_then(|level| level.parse().ok()).unwrap_or(0)
}
