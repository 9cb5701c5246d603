//! One seed gives one set of values, in any order and under both runners, and a failed test prints
//! it. `seeded.rs` has the tests that are run here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::{Lab, PROMISED};

/// As in P1, the workspace's own command.
const TESTS: [&str; 5] = ["--workspace", "--features", "integration", "--test", "seeded"];

const CARGO_TEST: &[&str] = &["test"];
const NEXTEST: &[&str] = &["nextest", "run"];

/// What the tests wrote, by name.
type Values = BTreeMap<String, String>;

struct Suite {
    lab: Lab,
    out: tempfile::TempDir,
    log: tempfile::TempDir,
}

impl Suite {
    fn new() -> Suite {
        Suite {
            lab: Lab::new(),
            out: tempfile::tempdir().unwrap(),
            log: tempfile::tempdir().unwrap(),
        }
    }

    /// What the tests print if they are run so, and whether they passed.
    fn run(&self, seed: Option<&str>, told: &str, words: &[&str], last: &[&str]) -> (String, bool) {
        let mut cargo =
            self.lab.command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        cargo.args(words).args(TESTS).args(last);
        match seed {
            Some(seed) => cargo.env("TEST_SEED", seed),
            None => cargo.env_remove("TEST_SEED"),
        };
        self.output(cargo, told)
    }

    fn output(&self, mut command: Command, told: &str) -> (String, bool) {
        command
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .env("SEEDED", told)
            .env("SEEDED_OUT", self.out.path())
            .env("TEST_SEED_LOG", self.log())
            .env("RUST_BACKTRACE", "0")
            .stderr(std::process::Stdio::piped());
        let output = command.output().unwrap();
        let printed =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (printed.into_owned(), output.status.success())
    }

    fn log(&self) -> PathBuf {
        self.log.path().join("log")
    }

    /// What streams wrote to the log since it was taken last, in the order of the names.
    fn take_log(&self) -> Vec<String> {
        let mut lines: Vec<String> = take(&self.log()).lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    /// The values that tests wrote since they were taken last.
    fn take(&self) -> Values {
        let files = std::fs::read_dir(self.out.path()).unwrap().map(|file| file.unwrap().path());
        files.map(|file| (name(&file), take(&file))).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn take(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::remove_file(path).unwrap();
    text
}

#[test]
fn one_seed_gives_the_same_values_in_two_orders_and_under_both_runners() {
    let suite = Suite::new();
    let run = |seed, words, last: &[&str]| {
        let (printed, passed) = suite.run(Some(seed), "pass", words, last);
        assert!(passed, "{printed}");
        if words == CARGO_TEST {
            // nextest shows no line of a test that passed.
            let line = format!("testenv: seed: {seed} (as TEST_SEED says)");
            assert_eq!(printed.matches(&line).count(), 1, "{printed}");
        }
        (suite.take(), printed)
    };

    let (forwards, printed) = run("7", CARGO_TEST, &["--", "--test-threads=1"]);
    let (at_once, _) = run("7", CARGO_TEST, &["--", "--test-threads=8"]);
    let (in_processes, _) = run("7", NEXTEST, &["-j", "4"]);
    // Each test alone and without a runner, the last one first: no runner can be told to go backwards.
    let (_, program) = printed.split_once("tests/seeded.rs (").unwrap();
    let program = program.split(')').next().unwrap();
    let mut backwards = Values::new();
    for test in forwards.keys().rev() {
        let mut alone = suite.lab.command(program);
        alone.args(["--exact", test]).env("TEST_SEED", "7");
        let (printed, passed) = suite.output(alone, "pass");
        assert!(passed, "{printed}");
        backwards.extend(suite.take());
    }

    assert_eq!(forwards.len(), 8, "{:?}", forwards.keys());
    for other in [at_once, in_processes, backwards] {
        assert_eq!(other, forwards);
    }
    assert_ne!(forwards["a_numbers"], forwards["b_numbers"], "they differ by name alone");
    let (other_seed, _) = run("8", NEXTEST, &[]);
    for (test, values) in &forwards {
        assert_ne!(&other_seed[test], values, "{test}: the seed changes nothing");
    }
    suite.lab.expect_nothing_left(PROMISED);
}

#[test]
fn the_log_of_the_streams_is_the_same_in_two_orders_and_under_both_runners() {
    let suite = Suite::new();
    let logged = |seed, words, last: &[&str]| {
        let (printed, passed) = suite.run(Some(seed), "pass", words, last);
        assert!(passed, "{printed}");
        suite.take_log()
    };

    let one_by_one = logged("7", CARGO_TEST, &["--", "--test-threads=1"]);

    for stream in ["a_numbers stream 2: 100 numbers, ", "d_threads stream 1/two: 100 numbers, "] {
        let start = format!("shared seeded {stream}");
        let lines = one_by_one.iter().filter(|line| line.starts_with(&start));
        assert_eq!(lines.count(), 1, "{one_by_one:#?}");
    }
    assert_eq!(logged("7", CARGO_TEST, &["--", "--test-threads=8"]), one_by_one);
    assert_eq!(logged("7", NEXTEST, &["-j", "4"]), one_by_one);
    let other_seed = logged("8", NEXTEST, &[]);
    assert!(other_seed.iter().all(|line| !one_by_one.contains(line)), "{other_seed:#?}");
    suite.lab.expect_nothing_left(PROMISED);
}

#[test]
fn without_a_seed_the_run_draws_one_that_all_its_processes_share() {
    let suite = Suite::new();
    let values = |words| {
        let (printed, passed) = suite.run(None, "pass", words, &[]);
        assert!(passed, "{printed}");
        if words == CARGO_TEST {
            assert_eq!(printed.matches("(TEST_SEED is not set)").count(), 1, "{printed}");
        }
        suite.take()
    };

    let (in_processes, in_one) = (values(NEXTEST), values(CARGO_TEST));

    let seed = |values: &Values| values["seed_of_the_run"].clone();
    assert_ne!(seed(&in_processes), seed(&in_one), "each run draws its own");
    assert!(suite.run(Some(&seed(&in_processes)), "pass", CARGO_TEST, &[]).1);
    assert_eq!(suite.take(), in_processes, "all processes of the run had this seed");
    suite.lab.expect_nothing_left(PROMISED);
}

/// The commands that were printed for a test.
fn again<'a>(printed: &'a str, test: &str) -> Vec<&'a str> {
    let of_test = printed.split("testenv: seed: ").filter(|part| {
        part.starts_with(&format!("{test} failed."))
            || part.starts_with(&format!("{test} may have failed"))
    });
    of_test.filter_map(|part| part.split_once("run it again: ")?.1.lines().next()).collect()
}

#[test]
fn a_failed_test_that_used_the_seed_prints_the_command_that_repeats_it() {
    let suite = Suite::new();

    for words in [CARGO_TEST, NEXTEST] {
        let (printed, passed) = suite.run(None, "fail", words, &["--no-fail-fast"]);

        assert!(!passed, "{printed}");
        let seed = &suite.take()["seed_of_the_run"];
        for test in ["panics_after_its_stream_is_gone", "returns_err"] {
            let commands = again(&printed, test);
            assert_eq!(commands.len(), 1, "{test}: {printed}");
            assert!(
                commands[0].contains(&format!("TEST_SEED={seed} cargo {}", words.join(" "))),
                "{}",
                commands[0]
            );
        }
        for test in ["uses_no_seed", "a_numbers"] {
            assert_eq!(again(&printed, test), Vec::<&str>::new(), "{printed}");
        }
        let mut shell = suite.lab.command("sh");
        shell
            .args(["-c", again(&printed, "panics_after_its_stream_is_gone")[0]])
            .env_remove("TEST_SEED");
        let (repeated, passed) = suite.output(shell, "fail");
        assert!(
            !passed && repeated.contains(&format!("testenv: seed: {seed} (as TEST_SEED says)")),
            "{repeated}"
        );
    }
    suite.lab.expect_nothing_left(PROMISED);
}

#[test]
fn what_is_no_seed_fails_the_tests_that_use_it_and_no_other() {
    let suite = Suite::new();

    for seed in ["", " 7 ", "-1", "18446744073709551616"] {
        let (printed, passed) =
            suite.run(Some(seed), "pass", CARGO_TEST, &["--", "--exact", "a_numbers"]);
        assert!(
            !passed && printed.contains(&format!("TEST_SEED={seed:?} is no seed")),
            "{printed}"
        );
        assert!(printed.contains("to fix: ") && printed.contains("unset TEST_SEED"), "{printed}");
        assert!(suite.run(Some(seed), "pass", CARGO_TEST, &["--", "--exact", "uses_no_seed"]).1);
    }
    suite.lab.expect_nothing_left(PROMISED);
}
