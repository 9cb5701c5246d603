//! Sham suites: they look like tests, and do not look at the program. Each must score 0.

use std::process::Command;
use std::time::Duration;

use testenv::Error;

use crate::faults::Tier;
use crate::lanes::{at_once, cores};
use crate::process;
use crate::say::Ongoing;
use crate::suite::{Bench, Suite};
use crate::tasks::Task;

/// Suites that look like tests and test nothing.
const SHAMS: [(&str, &str); 11] = [
    ("empty", include_str!("../adversarial/empty.rs")),
    ("assert_true", include_str!("../adversarial/assert_true.rs")),
    ("always_panic", include_str!("../adversarial/always_panic.rs")),
    ("sleep_only", include_str!("../adversarial/sleep_only.rs")),
    ("ignored", include_str!("../adversarial/ignored.rs")),
    ("reads_the_environment", include_str!("../adversarial/reads_the_environment.rs")),
    ("reads_its_arguments", include_str!("../adversarial/reads_its_arguments.rs")),
    ("reads_what_was_reached", include_str!("../adversarial/reads_what_was_reached.rs")),
    ("fails_from_its_tenth_run_on", include_str!("../adversarial/fails_from_its_tenth_run_on.rs")),
    ("fails_every_second_time", include_str!("../adversarial/fails_every_second_time.rs")),
    ("fails_by_chance", include_str!("../adversarial/fails_by_chance.rs")),
];

/// Compiling one small file takes a second; a machine under load gets much more before we call it hung.
const RUSTC_LIMIT: Duration = Duration::from_mins(2);

/// A compiled sham suite.
pub(crate) struct Sham {
    pub(crate) name: &'static str,
    suite: Suite,
}

impl Sham {
    /// The sham as a suite of a task.
    pub(crate) fn of(&self, task: &Task) -> Suite {
        Suite {
            dir: task.dir.clone(),
            package: task.name.clone(),
            program: self.suite.program.clone(),
            source: self.suite.source.clone(),
            compiled_in: self.suite.compiled_in.clone(),
            tier: self.suite.tier,
        }
    }
}

/// Compiles the sham suites with the compiler alone: they use nothing of a task.
pub(crate) fn compiled(bench: &Bench) -> Result<Vec<Sham>, Error> {
    let _going_on = Ongoing::new("compiling the sham suites");
    let dir = bench.scratch.path();
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    at_once(cores(), &SHAMS, |&(name, text)| {
        let (source, program) = (dir.join(format!("{name}.rs")), dir.join(name));
        std::fs::write(&source, text).map_err(process::no_scratch)?;
        let mut command = Command::new(&compiler);
        command.args(["--edition", "2024", "--test", "-o"]).arg(&program).arg(&source);
        let run = process::run(&mut command, RUSTC_LIMIT, None)?;
        if !run.success() {
            return Err(Error::new(format!("rustc {} on the sham suite {name}", run.ended()))
                .cause(run.stderr.trim()));
        }
        let (compiled_in, dir) = (dir.to_owned(), dir.to_owned());
        let suite =
            Suite { program, source, compiled_in, dir, package: name.into(), tier: Tier::Plain };
        Ok(Sham { name, suite })
    })
}
