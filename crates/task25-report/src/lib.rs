#![doc = "[before]: ../task24_documentation/index.html\n[next]: ../task26_task_leaks/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

// The wrong programs of the lesson.
mod faults;

// What a runner wrote, and what it means.
mod junit;
mod run;
mod summary;
mod trend;

// What a person reads.
mod page;
mod plots;
mod show;
mod text;

pub use junit::{Unreadable, parse};
pub use run::{Outcome, Run, Test};
pub use summary::Summary;
pub use trend::{LAST, Slower, slower};

pub use page::page;
pub use text::text;

/// All that a report is made from.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The run to report.
    pub run: Run,
    /// Earlier runs, the oldest first. A copy of `run` among them is left out.
    pub kept: Vec<Run>,
    /// Names of tests in quarantine: `name`, or `suite name`.
    pub quarantine: Vec<String>,
}

impl Report {
    /// Returns a report of this run alone, without earlier runs and without a quarantine.
    pub fn of(run: Run) -> Report {
        Report { run, ..Report::default() }
    }
}
