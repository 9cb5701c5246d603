//! The report for a terminal.

use std::fmt::{self, Write};

use crate::summary::Summary;
use crate::trend::{LAST, earlier, slower};
use crate::{Outcome, Report, Run, Test, show};

/// How many of the tests that became slower are shown.
pub(crate) const SHOWN: usize = 5;
/// How many runs the trend shows: with one run a day, a month.
const RUNS: usize = 30;
/// What to do if no number of a trend can be told.
pub(crate) const NO_TREND: &str =
    "No earlier run is kept. `cargo course report --keep` keeps a run.";

/// Returns the report as text, without colours.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    write(report, &mut text).expect("a string can be written");
    text
}

fn write(report: &Report, to: &mut String) -> fmt::Result {
    let summary = report.run.summary();
    writeln!(to, "{}", headline(&summary))?;
    for (name, value, note) in figures(&summary) {
        writeln!(to, "{}", format!("  {name:<15}{value:<12}{note}").trim_end())?;
    }
    if !summary.slowest.is_empty() {
        writeln!(to, "\nThe slowest tests")?;
    }
    for test in &summary.slowest {
        let time = show::time_if_known(test.time);
        writeln!(to, "  {time:>12}  {}{}", show::label_of(test), mark(report, test))?;
    }
    write_unhappy(report, to)?;
    write_trend(report, to)
}

/// Tests that failed or needed a retry.
fn write_unhappy(report: &Report, to: &mut String) -> fmt::Result {
    for (outcome, title) in [(Outcome::Failed, "Failed"), (Outcome::Flaky, "Passed on a retry")] {
        let mut tests = report.run.tests.iter().filter(|test| test.outcome == outcome).peekable();
        if tests.peek().is_some() {
            writeln!(to, "\n{title}")?;
        }
        for test in tests {
            let quarantine = if test.is_in(&report.quarantine) { " (in quarantine)" } else { "" };
            writeln!(to, "  {}{quarantine}", show::label_of(test))?;
        }
    }
    Ok(())
}

fn write_trend(report: &Report, to: &mut String) -> fmt::Result {
    let runs = trend(report);
    if runs.len() < 2 {
        return writeln!(to, "\n{NO_TREND}");
    }
    writeln!(to, "\nThe last {} runs, this one at the end", runs.len())?;
    for run in runs {
        let it = run.summary();
        writeln!(
            to,
            "  {:<16}  {:>6} tests  wall {:>10}  sum {:>10}  median {:>8}  P95 {:>8}",
            show::started(run.started.as_deref()),
            it.tests,
            show::time_if_known(it.wall),
            show::time(it.busy),
            show::time_if_known(it.median),
            show::time_if_known(it.p95),
        )?;
    }
    let slower = slower(&report.kept, &report.run);
    writeln!(to, "\nSlower than the median of the last {LAST} kept runs: {}", slower.len())?;
    for test in slower.iter().take(SHOWN) {
        let (before, now) = (show::time(test.before), show::time(test.now));
        writeln!(to, "  {before:>9} -> {now:<9}  {}", show::label(&test.suite, &test.name))?;
    }
    Ok(())
}

/// The earlier runs and this one, the oldest first.
pub(crate) fn trend(report: &Report) -> Vec<&Run> {
    let mut runs = earlier(&report.kept, &report.run);
    runs.push(&report.run);
    runs.split_off(runs.len().saturating_sub(RUNS))
}

/// How the run ended, in one line.
pub(crate) fn headline(summary: &Summary) -> String {
    let passed = summary.tests - summary.failed - summary.flaky - summary.skipped;
    let mut line = match summary.tests {
        0 => return "No tests.".to_owned(),
        1 => format!("1 test: {passed} passed"),
        tests => format!("{tests} tests: {passed} passed"),
    };
    let others =
        [(summary.flaky, "flaky"), (summary.failed, "failed"), (summary.skipped, "skipped")];
    for (number, how) in others.into_iter().filter(|(number, _)| *number > 0) {
        line.push_str(&format!(", {number} {how}"));
    }
    line
}

/// The figures of a run: name, value, and what to know about the value.
pub(crate) fn figures(summary: &Summary) -> [(&'static str, String, String); 6] {
    let untimed = match summary.untimed {
        0 => String::new(),
        tests => format!("{tests} without a time left out"),
    };
    let wall = match summary.wall {
        None => "the file does not say how long the run took",
        Some(_) => "",
    };
    [
        ("wall time", show::time_if_known(summary.wall), wall.into()),
        ("sum of times", show::time(summary.busy), untimed),
        ("parallelism", show::ratio(summary.parallelism), "sum of times / wall time".into()),
        ("median", show::time_if_known(summary.median), String::new()),
        ("P95", show::time_if_known(summary.p95), "95 of 100 tests take no longer".into()),
        ("retries", summary.retries.to_string(), String::new()),
    ]
}

/// What to know about a test in a list.
pub(crate) fn mark(report: &Report, test: &Test) -> &'static str {
    match (test.outcome, test.is_in(&report.quarantine)) {
        (Outcome::Failed, true) => " (failed, in quarantine)",
        (Outcome::Failed, false) => " (failed)",
        (Outcome::Flaky, true) => " (flaky, in quarantine)",
        (Outcome::Flaky, false) => " (flaky)",
        (_, true) => " (in quarantine)",
        (_, false) => "",
    }
}
