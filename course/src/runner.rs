//! What runs the tests of a shard: nextest, or `cargo test` where nextest is missing.

use std::process::{Command, Stdio};

use task14_shard::Shard;
use testenv::Error;
use testenv::tools::process::cargo;

use crate::tasks::Course;

/// A program that runs tests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `cargo nextest run`.
    Nextest,
    /// `cargo test`.
    CargoTest,
}

/// A part of the suite.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Everything.
    Whole,
    /// The tests of these packages.
    Packages(Vec<String>),
    /// The tests that nextest puts into this shard.
    Tests(Shard),
}

/// nextest's exit code for a run in which there was no test to run.
pub(crate) const NO_TESTS: i32 = 4;

impl Runner {
    /// Finds nextest, otherwise takes `cargo test`.
    pub(crate) fn find(course: &Course) -> Runner {
        let mut nextest = Command::new(cargo());
        nextest.args(["nextest", "--version"]).current_dir(&course.root);
        nextest.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match nextest.status() {
            Ok(status) if status.success() => Runner::Nextest,
            _ => Runner::CargoTest,
        }
    }

    /// Refuses arguments that would add tests to a part, for then a test runs in two shards.
    pub(crate) fn accept(self, part: &Part, arguments: &[String]) -> Result<(), Error> {
        let own = |argument: &&String| match (self, part) {
            (Runner::Nextest, Part::Packages(_)) => {
                argument.starts_with("-E") || is_flag(argument, &["--filterset", "--filter-expr"])
            }
            (Runner::Nextest, _) => is_flag(argument, &["--partition"]),
            (Runner::CargoTest, _) => {
                argument.starts_with("-p")
                    || is_flag(argument, &["--package", "--workspace", "--all", "--exclude"])
            }
        };
        if self == Runner::CargoTest && matches!(part, Part::Tests(_)) {
            return Err(Error::new("only cargo-nextest splits single tests, and it is missing")
                .fix("cargo course setup --install")
                .fix("leave out `--by test`; then whole packages are split"));
        }
        let Some(argument) = arguments.iter().take_while(|it| *it != "--").find(own) else {
            return Ok(());
        };
        let error = Error::new(format!("`{argument}` would run tests of other shards, too"));
        Err(match self {
            Runner::Nextest => error
                .cause("nextest adds up filtersets, and a shard of packages is a filterset")
                .fix("filter by a part of the test's name: cargo course shard 1/2 -- NAME"),
            Runner::CargoTest => error
                .cause("a shard is given to `cargo test` as a list of packages")
                .fix("cargo course setup --install; nextest can do both"),
        })
    }

    /// The command that runs a part. Our arguments come first: what follows a `--` is the test
    /// program's.
    pub(crate) fn run(self, course: &Course, part: &Part, arguments: &[String]) -> Command {
        self.command(course, self.word("run"), part, arguments)
    }

    /// The command that builds what [`Runner::run`] runs.
    pub(crate) fn build(self, course: &Course, part: &Part, arguments: &[String]) -> Command {
        self.command(course, [self.word("run"), &["--no-run"]].concat().as_slice(), part, arguments)
    }

    /// The command that lists the tests of a part.
    pub(crate) fn list(self, course: &Course, part: &Part, arguments: &[String]) -> Command {
        let mut list = self.command(course, self.word("list"), part, arguments);
        if self == Runner::CargoTest {
            let of_the_program = arguments.iter().any(|argument| argument == "--");
            list.args(if of_the_program { &["--list"][..] } else { &["--", "--list"] });
        }
        list
    }

    fn word(self, word: &'static str) -> &'static [&'static str] {
        match (self, word) {
            (Runner::Nextest, "list") => &["nextest", "list"],
            (Runner::Nextest, _) => &["nextest", "run"],
            // As `.config/nextest.toml` has it: one failure hides no other.
            (Runner::CargoTest, _) => &["test", "--no-fail-fast"],
        }
    }

    fn command(
        self,
        course: &Course,
        words: &[&str],
        part: &Part,
        arguments: &[String],
    ) -> Command {
        let mut command = Command::new(cargo());
        command.current_dir(&course.root).args(words);
        match (self, part) {
            (_, Part::Whole) => {}
            (_, Part::Tests(shard)) => {
                command.args(["--partition", &format!("hash:{shard}")]);
            }
            // A filterset and not `-p`: the features are those of the whole workspace, and so are the tests.
            (Runner::Nextest, Part::Packages(names)) => {
                let names: Vec<String> = names.iter().map(|it| format!("package(={it})")).collect();
                command.args(["-E", &names.join(" | ")]);
            }
            (Runner::CargoTest, Part::Packages(names)) => {
                command.args(names.iter().flat_map(|name| ["-p", name]));
            }
        }
        command.args(arguments);
        command
    }
}

fn is_flag(argument: &str, flags: &[&str]) -> bool {
    flags.contains(&argument.split_once('=').map_or(argument, |(flag, _)| flag))
}
